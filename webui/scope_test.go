package webui

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/webui/api"
)

// operations are the routes of the API, those of this package, and those that the API's
// document does not describe.
func operations(t *testing.T) (all []string) {
	t.Helper()
	a, err := api.New(api.Config{Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(a.Spec(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method := range item {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	for pattern := range (&Server{}).own() {
		all = append(all, pattern)
	}
	return append(all, "GET /api/v1/problems/{name}", "GET /api/v1/openapi.json")
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// If this fails, a route was added or renamed: give it the narrowest scope that suits it.
func TestOpenAPIRoutesHaveScopes(t *testing.T) {
	all := operations(t)
	g := newGate()
	for _, pattern := range all {
		method, path, _ := strings.Cut(pattern, " ")
		r := httptest.NewRequest(method, placeholder.ReplaceAllString(path, "x"), nil)
		if _, found := g.mux.Handler(r); found != pattern {
			t.Errorf("%s has no scope of its own in scope.go, but that of %q", pattern, found)
		}
		if s := g.asks(r); s != ScopeEverything && method != http.MethodGet && s != ScopeAdd && pattern != "DELETE /api/v1/session" && pattern != "POST /api/v1/transfers/torrents" {
			t.Errorf("%s changes something, and is for those who read", pattern)
		}
	}
	for _, r := range routes {
		if !slices.Contains(all, r.pattern) {
			t.Errorf("%s has a scope, but does not exist", r.pattern)
		}
	}
}

// Every route, asked by a token of every scope.
func TestTokensDoWhatTheirScopeSays(t *testing.T) {
	f := start(t, func(c *Config) {
		c.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	})
	g := newGate()
	tokens := map[Scope]string{}
	for _, s := range [...]Scope{"", ScopeRead, ScopeAdd, ScopeEverything, "later"} {
		secret, _, err := f.auth.NewToken("a script", s)
		if err != nil {
			t.Fatal(err)
		}
		tokens[s] = secret
	}
	browser := f.signIn(t)
	for _, pattern := range append(operations(t), "POST /api/v1/nothing", "GET /api/v2/node", "PUT /api/v1/node") {
		method, path, _ := strings.Cut(pattern, " ")
		if strings.Contains(path, "session") {
			continue // below
		}
		path = placeholder.ReplaceAllString(path, "x")
		asks := g.asks(httptest.NewRequest(method, path, nil))
		for scope, secret := range tokens {
			res := f.do(t, request{method, path, "", map[string]string{"Authorization": "Bearer " + secret, "Content-Type": "application/json"}})
			may := scope == "" || scope == ScopeEverything || asks == ScopeRead && scope != "later" || asks == ScopeAdd && scope == ScopeAdd
			if got := res.StatusCode != http.StatusForbidden; got != may {
				t.Errorf("%s with the scope %q: %s", pattern, scope, res.Status)
			}
		}
		if res := f.do(t, request{method, path, "", map[string]string{"Cookie": browser, "Content-Type": "application/json"}}); res.StatusCode == http.StatusForbidden {
			t.Errorf("%s by a browser: %s", pattern, res.Status)
		}
	}
	for _, s := range [...]Scope{ScopeRead, ScopeAdd} {
		for _, pattern := range [...]string{"GET /api/v1/sessions", "POST /api/v1/sessions", "DELETE /api/v1/sessions", "DELETE /api/v1/sessions/x"} {
			method, path, _ := strings.Cut(pattern, " ")
			if res := f.do(t, request{method, path, "", map[string]string{"Authorization": "Bearer " + tokens[s], "Content-Type": "application/json"}}); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s with the scope %s: %s", pattern, s, res.Status)
			}
		}
		if res := f.do(t, request{"DELETE", sessionPath, "", map[string]string{"Authorization": "Bearer " + tokens[s]}}); res.StatusCode != http.StatusNoContent {
			t.Errorf("a token cannot end itself: %s", res.Status)
		}
	}
	for body, want := range map[string]int{`{"label":"a","scope":"add"}`: 201, `{"label":"a","scope":"all"}`: 400, `{"label":"a"}`: 201} {
		if res := f.do(t, request{"POST", "/api/v1/sessions", body, map[string]string{"Cookie": browser, "Content-Type": "application/json"}}); res.StatusCode != want {
			t.Errorf("%s: %s", body, res.Status)
		}
	}
}

func TestSigningOutEverywhere(t *testing.T) {
	f := start(t, nil)
	here, there := f.signIn(t), f.signIn(t)
	token, _, err := f.auth.NewToken("a script", ScopeRead)
	if err != nil {
		t.Fatal(err)
	}
	status := func(header, value string) int {
		t.Helper()
		return f.do(t, request{"GET", "/api/v1/node", "", map[string]string{header: value}}).StatusCode
	}
	link := f.auth.OneTime()
	// Another password ends all sign-ins but the one that changes it. Programs go on.
	who, err := f.auth.Check(strings.SplitN(here, "=", 2)[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := f.auth.SetPassword("short", who.ID); err == nil || status("Cookie", there) != http.StatusNoContent {
		t.Errorf("a password that was refused ended a sign-in: %v", err)
	}
	if err := f.auth.SetPassword("correct horse", who.ID); err != nil {
		t.Fatal(err)
	}
	if a, b, c := status("Cookie", here), status("Cookie", there), status("Authorization", "Bearer "+token); a != 204 || b != 401 || c != 204 {
		t.Errorf("this browser %d, the other %d, the program %d", a, b, c)
	}
	if _, _, err := f.auth.Redeem(link, "x"); err == nil {
		t.Error("a sign-in link from before signs in")
	}
	there = f.signIn(t)
	if res := f.do(t, request{"DELETE", "/api/v1/sessions", "", map[string]string{"Cookie": here}}); res.StatusCode != 204 || !strings.Contains(res.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%s, %s", res.Status, res.Header)
	}
	if a, b, c := status("Cookie", here), status("Cookie", there), status("Authorization", "Bearer "+token); a != 401 || b != 401 || c != 204 {
		t.Errorf("this browser %d, the other %d, the program %d", a, b, c)
	}
	here = f.signIn(t)
	if res := f.do(t, request{"DELETE", "/api/v1/sessions?tokens=true", "", map[string]string{"Cookie": here}}); res.StatusCode != 204 {
		t.Error(res.Status)
	}
	if c := status("Authorization", "Bearer "+token); c != 401 || len(f.auth.SignIns()) != 0 {
		t.Errorf("the program %d, %d sign-ins", c, len(f.auth.SignIns()))
	}
}
