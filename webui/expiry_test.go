package webui

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The server ends sign-ins by itself: a browser, or somebody who copied its cookie, may
// send the cookie for longer than it is valid.
func TestSignInsExpire(t *testing.T) {
	var passed atomic.Int64
	now := func() time.Time { return time.Unix(1_800_000_000, 0).Add(time.Duration(passed.Load())) }
	wait := func(d time.Duration) { passed.Add(int64(d)) }
	path := filepath.Join(t.TempDir(), "credentials")
	auth, err := OpenAuth(path, now)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, func(c *Config) { c.Auth, c.Now = auth, now })
	list := func(header map[string]string) int {
		t.Helper()
		return f.do(t, request{"GET", "/api/v1/transfers", "", header}).StatusCode
	}
	cookie := map[string]string{"Cookie": f.signIn(t)}
	token, _, err := auth.NewToken("a script", ScopeEverything)
	if err != nil {
		t.Fatal(err)
	}
	bearer := map[string]string{"Authorization": "Bearer " + token}

	// Each use extends it.
	for range 3 {
		wait(signInLife - time.Minute)
		if got := list(cookie); got != http.StatusNoContent {
			t.Fatalf("within its life: %d", got)
		}
	}
	wait(signInLife + time.Minute)
	if got := list(cookie); got != http.StatusUnauthorized {
		t.Errorf("a month after its last use: %d", got)
	}
	if got := list(cookie); got != http.StatusUnauthorized {
		t.Errorf("the refused request has renewed it: %d", got)
	}
	if got := list(bearer); got != http.StatusNoContent {
		t.Errorf("a token for a program lasts until it is revoked: %d", got)
	}
	// A restart does not bring it back either.
	again, err := OpenAuth(path, now)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(cookie["Cookie"], "=")
	if who, err := again.Check(secret); !errors.Is(err, ErrDenied) {
		t.Errorf("after a restart: %+v %v", who, err)
	}

	oneTime := auth.OneTime()
	wait(oneTimeLife + time.Second)
	if _, _, err := auth.Redeem(oneTime, ""); !errors.Is(err, ErrDenied) {
		t.Errorf("a link that was not used in time: %v", err)
	}
}
