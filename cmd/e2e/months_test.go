//go:build linux

package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// announced tells whether every one of ids was announced in the DHT.
func announced(t testing.TB, ids []string) func([]lab.Datagram) bool {
	t.Helper()
	raw := make([][]byte, len(ids))
	for i, id := range ids {
		b, err := hex.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = b
	}
	return func(sent []lab.Datagram) bool {
		missing := map[int]bool{}
		for i := range raw {
			missing[i] = true
		}
		for _, d := range sent {
			if !bytes.Contains(d.Payload, []byte("13:announce_peer")) {
				continue
			}
			for i := range missing {
				if bytes.Contains(d.Payload, raw[i]) {
					delete(missing, i)
				}
			}
			if len(missing) == 0 {
				return true
			}
		}
		return false
	}
}

// busiest is the largest number of datagrams that left within one second.
func busiest(sent []lab.Datagram) (most int) {
	from := 0
	for i := range sent {
		for sent[i].At.Sub(sent[from].At) > time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// What happens to a box in months: it sleeps for an hour, its clock is set back
// by a day, its provider gives it other addresses. Each time the daemon goes on,
// announces all that it shares within a minute, from where it is now, and sends
// no more for that than it did when it started.
//
//	alice ── router ─┐
//	carol ── router ─┼── core ── router ── guide
//	dave  ── router ─┘
func TestSleepClockAndAddressesChange(t *testing.T) {
	t.Parallel() // with the other one that mostly waits
	net := lab.New(t)
	home := net.Router("alice")
	alice, guide := at(t, home.Host("alice")), at(t, net.Home("guide"))
	carol, dave := at(t, net.Home("carol")), at(t, net.Home("dave"))
	first := guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000"))
	first.Event("ready", nil)
	knows := []string{"--bootstrap", guide.At(7000)}
	carol.boot(nil, knows...)
	dave.boot(nil, knows...)

	const many = 20
	dir := t.TempDir()
	var paths, ids []string
	for i := range many {
		paths = append(paths, random(t, filepath.Join(dir, fmt.Sprintf("song-%02d", i)), 300_000, byte(i)))
	}
	tap := alice.Tap()
	began := time.Now()
	service := alice.boot(nil, append(knows, "--listen", "[::]:7001")...)
	for _, p := range alice.publish(paths...) {
		ids = append(ids, p.ID)
	}
	all := announced(t, ids)
	if !tap.Await(began, time.Minute, all) {
		t.Fatal("not everything was announced at first")
	}
	atStart := tap.Sent(began)
	t.Logf("at the start: %d datagrams in %v, at most %d in a second",
		len(atStart), time.Since(began).Round(time.Second/10), busiest(atStart))

	again := func(what string, happens func()) {
		t.Helper()
		from := time.Now()
		happens()
		if !tap.Await(from, time.Minute, all) {
			t.Errorf("%s: not everything was announced again within a minute", what)
		}
		sent := tap.Sent(from)
		t.Logf("%s: %d datagrams in %v, at most %d in a second",
			what, len(sent), time.Since(from).Round(time.Second/10), busiest(sent))
		if len(sent) > 2*len(atStart) || busiest(sent) > 2*busiest(atStart) {
			t.Errorf("%s: %d datagrams left, up to %d in a second; at the start there were %d, up to %d",
				what, len(sent), busiest(sent), len(atStart), busiest(atStart))
		}
		if now := alice.List(); inState(now, "seeding") != many {
			t.Errorf("%s: not all are seeding: %+v", what, now)
		}
	}
	again("after an hour of sleep", func() {
		service.SetClock(time.Hour)
		home.Forget() // nobody kept the firewall's state alive
	})
	again("after the clock was set back by a day", func() { service.SetClock(time.Hour - 24*time.Hour) })
	again("at another address", func() { home.Retire(home.Renumber()) })
	for _, d := range tap.Sent(time.Now().Add(-time.Second)) {
		if d.From.Addr() != alice.Addr && d.From.Addr().IsGlobalUnicast() {
			t.Errorf("a datagram left from %v, which is not the address any more", d.From)
		}
	}

	// Somebody who has never heard of the former address finds it.
	erin := at(t, net.Home("erin"))
	get := erin.StartCmd(erin.guided("get", knows, "--output", t.TempDir(), ids[0]))
	identical(t, paths[0], arrived(t, get).Path)
	select {
	case <-service.Exited():
		t.Errorf("the daemon has ended\n%s", service.Stderr())
	default:
	}
	if status := service.Stop(); status != 0 {
		t.Errorf("status %d\n%s", status, service.Stderr())
	}
}
