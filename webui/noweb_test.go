//go:build noweb

package webui

import (
	"net/http"
	"testing"
)

// A binary without the page serves the API, with all its checks, and nothing else.
func TestWithoutThePage(t *testing.T) {
	if Page() != nil {
		t.Fatal("the page is in the binary")
	}
	f := start(t, func(c *Config) { c.Page = Page() })
	if res := f.do(t, request{"GET", "/", "", nil}); res.StatusCode != http.StatusNotFound {
		t.Errorf("the page: %s", res.Status)
	}
	if res := f.do(t, request{"GET", "/api/v1/node", "", nil}); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a sign-in: %s", res.Status)
	}
	if res := f.do(t, request{"GET", "/api/v1/node", "", map[string]string{"Cookie": f.signIn(t)}}); res.StatusCode != http.StatusNoContent {
		t.Errorf("signed in: %s", res.Status)
	}
}
