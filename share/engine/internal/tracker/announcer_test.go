package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake stands for all trackers.
type fake struct {
	mu      sync.Mutex
	log     []string // "ID host event"
	answers map[string]func(request) (reply, error)
	busy    int
	most    int
}

func (f *fake) ask(ctx context.Context, t *target, r request) (reply, error) {
	f.mu.Lock()
	host := t.url.Hostname()
	f.log = append(f.log, strings.TrimRight(fmt.Sprintf("%s %s %s", r.id.String()[:2], host, r.event), " "))
	answer := f.answers[host]
	f.busy++
	f.most = max(f.most, f.busy)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.busy--
	}()
	if answer == nil {
		return reply{}, errors.New("no such tracker")
	}
	if err := ctx.Err(); err != nil {
		return reply{}, err
	}
	return answer(r)
}

func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.log
	f.log = nil
	return out
}

func (f *fake) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := f.take(); !slices.Equal(got, want) {
		t.Errorf("announces %q, not %q", got, want)
	}
}

func every(d time.Duration) func(request) (reply, error) {
	return func(request) (reply, error) {
		return reply{interval: d, peers: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:1")}}, nil
	}
}

func id(n byte) share.ID { return share.ID{n} }

// run makes an announcer over f and stops it at the end of the bubble.
func run(t *testing.T, f *fake, found func(share.ID, []netip.AddrPort)) (a *Announcer, stop func()) {
	t.Helper()
	if found == nil {
		found = func(share.ID, []netip.AddrPort) {}
	}
	return runConfig(t, f, found, func(share.ID) (Progress, bool) { return Progress{Left: 1}, true })
}

func runWith(t *testing.T, f *fake, progress func(share.ID) (Progress, bool)) (a *Announcer, stop func()) {
	return runConfig(t, f, func(share.ID, []netip.AddrPort) {}, progress)
}

func runConfig(t *testing.T, f *fake, found func(share.ID, []netip.AddrPort), progress func(share.ID) (Progress, bool)) (a *Announcer, stop func()) {
	t.Helper()
	a, err := New(Config{
		Logger:   slog.New(slog.DiscardHandler),
		Port:     func() uint16 { return 4711 },
		Progress: progress,
		Found:    found,
		Parallel: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	a.ask = f.ask
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestLifeOfATransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){"a": every(10 * time.Minute)}}
		found := 0
		an, stop := run(t, f, func(got share.ID, peers []netip.AddrPort) {
			if got != id(1) || len(peers) != 1 {
				t.Errorf("found %v for %s", peers, got)
			}
			found++
		})
		an.Add(id(1), [][]string{{"http://a/announce"}}, Progress{Left: 1})
		synctest.Wait()
		f.expect(t, "01 a started")
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		f.expect(t)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		f.expect(t, "01 a")
		an.Complete(id(1))
		synctest.Wait()
		f.expect(t, "01 a completed")
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		f.expect(t, "01 a")
		s := an.Status(id(1))
		if len(s) != 1 || s[0].Err != nil || s[0].Peers != 1 || s[0].URL != "http://a/announce" || !s[0].Next.After(time.Now()) {
			t.Errorf("status %+v", s)
		}
		an.Remove(id(1), Progress{Left: 1})
		synctest.Wait()
		f.expect(t, "01 a stopped")
		time.Sleep(time.Hour)
		synctest.Wait()
		f.expect(t)
		if an.Status(id(1)) != nil || found != 4 {
			t.Errorf("found peers %d times", found)
		}
		stop()
		f.expect(t)
	})
}

func TestGoodbyeAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){"a": every(time.Hour)}}
		an, stop := run(t, f, nil)
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 1})
		an.Add(id(2), [][]string{{"http://dead/"}}, Progress{Left: 1})
		synctest.Wait()
		f.take()
		stop()
		f.expect(t, "01 a stopped")
	})
}

func TestTiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){"b": every(10 * time.Minute), "d": every(10 * time.Minute)}}
		an, stop := run(t, f, nil)
		defer stop()
		// The second of the first tier works, and the only one of the second.
		an.Add(id(1), [][]string{{"http://a/", "http://b/", "http://c/"}, {"udp://d:1"}, {"http://b/", "wss://x/"}}, Progress{Left: 1})
		synctest.Wait()
		got := f.take()
		slices.Sort(got)
		if want := []string{"01 a started", "01 b started", "01 d started"}; !slices.Equal(got, want) {
			t.Fatalf("announces %q", got)
		}
		// It is asked first from now on.
		if s := an.Status(id(1)); len(s) != 4 || s[0].URL != "http://b/" || s[1].URL != "http://a/" || s[1].Err == nil {
			t.Errorf("status %+v", s)
		}
		// When it fails, the others are asked, then all again after a while.
		f.mu.Lock()
		delete(f.answers, "b")
		f.mu.Unlock()
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		got = f.take()
		for _, want := range []string{"01 b", "01 a started", "01 c started", "01 b started", "01 d"} {
			if !slices.Contains(got, want) {
				t.Errorf("announces %q lack %q", got, want)
			}
		}
		if n := len(got); n > 15 {
			t.Errorf("%d announces", n)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		an, stop := run(t, f, nil)
		defer stop()
		an.Add(id(1), [][]string{{"http://a/", "http://b/"}}, Progress{Left: 1})
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		// 15 s doubling up to half an hour, for two trackers.
		if n := len(f.take()); n < 2*45 || n > 2*60 {
			t.Errorf("%d announces to dead trackers in a day", n)
		}
	})
}

func TestIntervalsAreHonouredWithinLimits(t *testing.T) {
	rows := []struct {
		name     string
		r        reply
		err      error
		from, to time.Duration // of the second announce
	}{
		{"none", reply{}, nil, defaultInterval, defaultInterval * 11 / 10},
		{"usual", reply{interval: 20 * time.Minute}, nil, 20 * time.Minute, 22 * time.Minute},
		{"tiny", reply{interval: time.Second}, nil, shortest, shortest * 11 / 10},
		{"huge", reply{interval: 1000 * time.Hour}, nil, longest, longest * 11 / 10},
		{"minimum above", reply{interval: 5 * time.Minute, minInterval: time.Hour}, nil, time.Hour, 66 * time.Minute},
		{"huge minimum", reply{interval: 5 * time.Minute, minInterval: 1000 * time.Hour}, nil, longest, longest * 11 / 10},
		{"retry in", reply{}, &refusal{retry: 2 * time.Hour}, 2 * time.Hour, 2*time.Hour + time.Minute},
		{"never", reply{}, &refusal{retry: -1}, never, never + time.Minute},
		{"refused", reply{}, &refusal{}, firstBackoff, firstBackoff * 11 / 10},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				second := make(chan time.Duration, 100)
				var first time.Time
				f := &fake{answers: map[string]func(request) (reply, error){"a": func(request) (reply, error) {
					if first.IsZero() {
						first = time.Now()
					} else {
						second <- time.Since(first)
					}
					return row.r, row.err
				}}}
				an, stop := run(t, f, nil)
				an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 1})
				if d := <-second; d < row.from || d > row.to {
					t.Errorf("after %v, not within %v and %v", d, row.from, row.to)
				}
				stop()
			})
		})
	}
}

// One that must not be asked for long does not keep the others waiting, nor
// makes them be asked without pause.
func TestRetryInOfOneMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){
			"a": func(request) (reply, error) { return reply{}, &refusal{retry: -1} },
		}}
		an, stop := run(t, f, nil)
		defer stop()
		an.Add(id(1), [][]string{{"http://a/", "http://b/"}}, Progress{Left: 1})
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		got := f.take()
		a := 0
		for _, l := range got {
			if l == "01 a started" {
				a++
			}
		}
		if a != 1 || len(got) < 40 || len(got) > 60 {
			t.Errorf("a was asked %d times of %d", a, len(got))
		}
	})
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){"a": func(request) (reply, error) {
			return reply{interval: time.Hour, minInterval: 5 * time.Minute}, nil
		}}}
		an, stop := run(t, f, nil)
		defer stop()
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 1})
		synctest.Wait()
		f.take()
		an.Refresh(id(1))
		an.Refresh(id(9))
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		f.expect(t)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		f.expect(t, "01 a")
	})
}

func TestCompleteWhileAnnouncing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fake{answers: map[string]func(request) (reply, error){"a": func(r request) (reply, error) {
			if r.event == started {
				<-hold
			}
			return reply{interval: time.Hour}, nil
		}}}
		an, stop := run(t, f, nil)
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 1})
		synctest.Wait()
		an.Complete(id(1))
		close(hold)
		synctest.Wait()
		f.expect(t, "01 a started", "01 a completed")
		stop()
		f.expect(t, "01 a stopped")
	})
}

// A download that is not seeded is removed, or its process ends, as soon as it is
// complete: the tracker is told both.
func TestCompletedBeforeStopped(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(an *Announcer, stop func())
	}{
		{"removed", func(an *Announcer, stop func()) {
			an.Remove(id(1), Progress{Downloaded: 7})
			synctest.Wait()
			stop()
		}},
		{"the node stops", func(_ *Announcer, stop func()) { stop() }},
	} {
		for _, began := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, started answered %t", c.name, began), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					hold := make(chan struct{})
					if began {
						close(hold)
					}
					f := &fake{answers: map[string]func(request) (reply, error){"a": func(r request) (reply, error) {
						if r.event == started {
							<-hold
						}
						return reply{interval: time.Hour}, nil
					}}}
					an, stop := run(t, f, nil)
					an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 7})
					synctest.Wait()
					an.Complete(id(1))
					if !began {
						close(hold)
					}
					c.end(an, stop)
					f.expect(t, "01 a started", "01 a completed", "01 a stopped")
				})
			})
		}
	}
}

func TestRemoveWhileAnnouncing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fake{answers: map[string]func(request) (reply, error){"a": func(r request) (reply, error) {
			if r.event == started {
				<-hold
			}
			return every(time.Hour)(r)
		}}}
		an, stop := run(t, f, func(share.ID, []netip.AddrPort) { t.Error("peers for a transfer that is gone") })
		defer stop()
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 1})
		synctest.Wait()
		an.Remove(id(1), Progress{Left: 1})
		close(hold)
		synctest.Wait()
		f.expect(t, "01 a started", "01 a stopped")
	})
}

func TestNothingIsAnnouncedWithoutAPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){"a": every(time.Hour)}}
		an, stop := run(t, f, nil)
		defer stop()
		var mu sync.Mutex
		port := uint16(0)
		an.mu.Lock()
		an.cfg.Port = func() uint16 { mu.Lock(); defer mu.Unlock(); return port }
		an.mu.Unlock()
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 1})
		time.Sleep(time.Minute)
		synctest.Wait()
		f.expect(t)
		mu.Lock()
		port = 1
		mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		f.expect(t, "01 a started")
	})
}

func TestAddAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){"a": every(time.Hour), "b": every(time.Hour)}}
		an, stop := run(t, f, nil)
		defer stop()
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Left: 1})
		an.Add(id(1), [][]string{{"http://a/"}, {"http://b/"}}, Progress{Left: 1})
		synctest.Wait()
		got := f.take()
		slices.Sort(got)
		if want := []string{"01 a started", "01 b started"}; !slices.Equal(got, want) {
			t.Errorf("announces %q", got)
		}
		var many [][]string
		for i := range 1000 {
			many = append(many, []string{fmt.Sprintf("http://t%d/", i)})
		}
		an.Add(id(2), many, Progress{Left: 1})
		if n := len(an.Status(id(2))); n != maxTrackers {
			t.Errorf("%d trackers of one transfer", n)
		}
	})
}

// Ten thousand transfers wait without a goroutine each, and the announces
// under way are bounded.
func TestManyTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: map[string]func(request) (reply, error){"a": func(r request) (reply, error) {
			time.Sleep(100 * time.Millisecond)
			return reply{interval: time.Hour}, nil
		}}}
		an, stop := run(t, f, nil)
		for i := range 10_000 {
			an.Add(share.ID{1, byte(i >> 8), byte(i)}, [][]string{{"http://a/"}}, Progress{Left: 1})
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > 100 {
			t.Errorf("%d goroutines", n)
		}
		if n := len(f.take()); n != 10_000 || f.most != 4 {
			t.Errorf("%d announces, %d at once", n, f.most)
		}
		for i := range 10_000 {
			an.Remove(share.ID{1, byte(i >> 8), byte(i)}, Progress{Left: 1})
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := len(f.take()); n != 10_000 {
			t.Errorf("%d goodbyes", n)
		}
		stop()
	})
}

func TestRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		an, stop := run(t, &fake{}, nil)
		synctest.Wait()
		if an.Run(t.Context()) == nil {
			t.Error("the announcer runs twice")
		}
		stop()
	})
}

func TestTargets(t *testing.T) {
	rows := []struct {
		url string
		ok  bool
	}{
		{"http://tracker.example/announce", true},
		{"  HTTPS://tracker.example:443/announce?key=x ", true},
		{"udp://[2001:db8::1]:6969", true},
		{"UDP://tracker.example:80/announce", true},
		{"udp://tracker.example", false},
		{"wss://tracker.example", false},
		{"ftp://tracker.example", false},
		{"http://", false},
		{"http:///announce", false},
		{"tracker.example", false},
		{"", false},
		{"http://tracker.example/" + strings.Repeat("x", maxURL), false},
		{"http://a\x00b/", false},
	}
	for _, r := range rows {
		if got := parseTarget(r.url); (got != nil) != r.ok {
			t.Errorf("%q: %v", r.url, got)
		}
	}
}

// Trackers are told the figures of this session, as they are when the announce
// is made (issue: totals of earlier sessions, stale ones, a goodbye that said
// less than there was).
func TestFiguresOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		f := &fake{answers: map[string]func(request) (reply, error){"a": func(r request) (reply, error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%s up %d down %d left %d", r.event, r.progress.Uploaded, r.progress.Downloaded, r.progress.left()))
			return reply{interval: 10 * time.Minute}, nil
		}}}
		var now Progress
		var known bool
		set := func(p Progress, k bool) {
			mu.Lock()
			defer mu.Unlock()
			now, known = p, k
		}
		set(Progress{Uploaded: 1007, Downloaded: 505, Left: 95}, true)
		an, stop := runWith(t, f, func(share.ID) (Progress, bool) {
			mu.Lock()
			defer mu.Unlock()
			return now, known
		})
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Uploaded: 1000, Downloaded: 500, Left: 100})
		synctest.Wait()
		set(Progress{Uploaded: 1010, Downloaded: 600}, true)
		an.Complete(id(1))
		synctest.Wait()
		an.Remove(id(1), Progress{Uploaded: 1020, Downloaded: 600})
		set(Progress{}, false)
		synctest.Wait()
		set(Progress{Uploaded: 1020, Downloaded: 600}, true)
		an.Add(id(1), [][]string{{"http://a/"}}, Progress{Uploaded: 1020, Downloaded: 600})
		synctest.Wait()
		an.Add(id(2), [][]string{{"http://a/"}}, Progress{Left: -1})
		set(Progress{Left: -1}, true)
		synctest.Wait()
		set(Progress{}, false) // the engine has ended
		stop()
		sortFrom(told, 5)
		want := []string{
			"started up 7 down 5 left 95", "completed up 10 down 100 left 0", "stopped up 20 down 100 left 0",
			"started up 0 down 0 left 0", "started up 0 down 0 left 16384",
			"stopped up 0 down 0 left 0", "stopped up 0 down 0 left 16384",
		}
		if !slices.Equal(told, want) {
			t.Errorf("told\n%q, want\n%q", told, want)
		}
	})
}

// sortFrom sorts what was told at once, in any order.
func sortFrom(told []string, n int) { slices.Sort(told[min(n, len(told)):]) }
