package webui

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func place(site, net, host int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::%x", site, net, host))
}

// asks sends a request as if from an address, and returns its status.
func (f *fixture) asks(from netip.Addr, method, path, body string, header ...string) int {
	r := httptest.NewRequest(method, "http://"+f.addr+path, strings.NewReader(body))
	r.RemoteAddr = netip.AddrPortFrom(from, 1234).String()
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, r)
	return w.Code
}

// Wrong bearer and one-time tokens, from anywhere and from the owner's network, lock
// nobody out.
func TestWrongTokensLockNobodyOut(t *testing.T) {
	f := start(t, nil)
	if err := f.auth.SetPassword("correct horse", ""); err != nil {
		t.Fatal(err)
	}
	cookie := f.signIn(t)
	loopback := netip.IPv6Loopback()
	for i := range 400 {
		from := place(i%40, 0, i)
		if i%4 == 0 {
			from = loopback
		}
		if got := f.asks(from, "GET", "/api/v1/transfers", "", "Authorization", "Bearer shoal_wrong"); got != http.StatusUnauthorized {
			t.Fatalf("wrong bearer: %d", got)
		}
		if got := f.asks(from, "POST", sessionPath, `{"token":"shoal_wrong"}`); got != http.StatusUnauthorized {
			t.Fatalf("wrong token: %d", got)
		}
	}
	owner := place(99, 0, 1)
	for _, at := range []netip.Addr{owner, loopback, place(1, 0, 1)} {
		if got := f.asks(at, "POST", sessionPath, `{"token":"`+f.auth.OneTime()+`"}`); got != http.StatusCreated {
			t.Errorf("%s: a right one-time token: %d", at, got)
		}
		if got := f.asks(at, "GET", "/api/v1/transfers", "", "Cookie", cookie); got != http.StatusNoContent {
			t.Errorf("%s: a browser that is known: %d", at, got)
		}
		<-f.reached
		if got := f.asks(at, "POST", sessionPath, `{"password":"correct horse"}`); got != http.StatusCreated {
			t.Errorf("%s: the right password: %d", at, got)
		}
	}
}

// Wrong passwords from many networks lock out those who guess, and nobody else.
func TestWrongPasswordsFromElsewhere(t *testing.T) {
	f := start(t, nil)
	if err := f.auth.SetPassword("correct horse", ""); err != nil {
		t.Fatal(err)
	}
	cookie := f.signIn(t)
	now := time.Now()
	f.server.guesses = NewGuesses(func() time.Time { return now })
	codes := map[int]int{}
	for i := range 150 {
		now = now.Add(time.Second * 2 / 3)
		codes[f.asks(place(i%40, 0, i), "POST", sessionPath, `{"password":"wrong guess"}`)]++
	}
	if codes[http.StatusTooManyRequests] == 0 || codes[http.StatusCreated] > 0 {
		t.Errorf("guesses are answered with %v", codes)
	}
	if got := f.asks(place(99, 0, 1), "POST", sessionPath, `{"password":"correct horse"}`); got != http.StatusCreated {
		t.Errorf("the owner, elsewhere: %d", got)
	}
	if got := f.asks(place(1, 0, 1), "GET", "/api/v1/transfers", "", "Cookie", cookie); got != http.StatusNoContent {
		t.Errorf("a known browser, among those who guess: %d", got)
	}
	<-f.reached
	for range 20 {
		f.asks(place(1, 0, 1), "POST", sessionPath, `{"password":"wrong guess"}`)
	}
	if got := f.asks(place(1, 0, 2), "POST", sessionPath, `{"password":"correct horse"}`); got != http.StatusTooManyRequests {
		t.Errorf("from the network that guesses: %d", got)
	}
	if got := f.asks(place(1, 0, 2), "POST", sessionPath, `{"token":"`+f.auth.OneTime()+`"}`); got != http.StatusCreated {
		t.Errorf("a one-time token from there: %d", got)
	}
}

func TestGuessesAreFew(t *testing.T) {
	now := time.Unix(1e9, 0)
	for name, c := range map[string]struct {
		of   func(i int) netip.Addr
		most int // in an hour, on top of what is allowed at once
	}{
		"a /64": {func(i int) netip.Addr { return place(1, 0, i) }, triesAtOnce + 180},
		"a /56": {func(i int) netip.Addr { return place(1, i%256, i) }, 2*triesAtOnce + 360},
		"a /48": {func(i int) netip.Addr { return place(1, i, 1) }, 4*triesAtOnce + 720},
		// Each network may try once: it has not failed yet.
		"300 /48s": {func(i int) netip.Addr { return place(i%300, 0, 1) }, 300 + failedAtOnce + 1800},
	} {
		g := NewGuesses(func() time.Time { return now })
		tried := 0
		for i := range 36_000 {
			now = now.Add(100 * time.Millisecond)
			if g.Try(c.of(i)) {
				tried++
				g.Wrong(c.of(i))
			}
		}
		if tried > c.most {
			t.Errorf("%s: %d tries in an hour", name, tried)
		}
	}
	g := NewGuesses(func() time.Time { return now })
	ip := place(1, 0, 1)
	for range triesAtOnce {
		if !g.Try(ip) {
			t.Fatal("refused too early")
		}
	}
	if g.Try(ip) || !g.Try(place(2, 0, 1)) {
		t.Error("the one that tried too often, or another, is mistaken")
	}
	g.Right(ip)
	if !g.Try(ip) {
		t.Error("who was right is held to what came before")
	}
	for i := range 4 * maxNetworks {
		g.Try(place(i%0xffff, i>>8, 1))
	}
	if g.recent.Len() > maxNetworks || len(g.networks) > maxNetworks {
		t.Errorf("%d networks are kept", g.recent.Len())
	}
}
