package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// onTerminal is an output whose stdout is a terminal of 80 columns.
func onTerminal() (*output, *bytes.Buffer, *bytes.Buffer) {
	out, stdout, stderr := testOutput(false)
	out.page = func() int { return columns }
	return out, stdout, stderr
}

// hostile is a transfer that does its best to ruin a table.
func hostile(t *testing.T) share.Transfer {
	return share.Transfer{
		ID: testID(t, "e"), Name: "\x1b[2J\u202e" + strings.Repeat("漢", 200) + "\n", State: share.Stopped,
		Reason: strings.Repeat("reason\n ", 40), Bytes: 1<<62 - 1, Total: 1 << 62, Size: 1 << 62, Files: 2_000_000,
		Down: 999_999_999, Up: 999_999_999, Peers: 50_000, Path: "/x/\x07" + strings.Repeat("p", 100),
		Link: "magnet:?xt=urn:btih:" + strings.Repeat("e", 40), Added: time.Unix(1e9, 0),
		Goal: share.Goal{Ratio: 1e6, For: 9999 * time.Hour}, Limits: share.Limits{Down: 1 << 60, Up: 1 << 60},
	}
}

func checkScreen(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if cells(line) > width {
			t.Errorf("%d columns: %s", cells(line), line)
		}
		if escape(line) != line {
			t.Errorf("%q plays tricks", line)
		}
	}
}

func TestTablesFitTheTerminal(t *testing.T) {
	bad := hostile(t)
	f := &viewed{fakeNode: newFake(bad), peers: []share.Peer{{
		Address: "[2001:db8:1234:5678:9abc:def0:1234:5678]:51413", Client: "\x1b]0;x\x07" + strings.Repeat("client", 30),
		Source: share.FromTracker, Encrypted: true, UTP: true, Incoming: true, Down: 999_999_999, Up: 999_999_999, Progress: 1,
	}, {Address: "host", Source: share.FromIncoming}}}
	f.files = []share.File{{Index: 1_999_999, Path: "a/\u202e" + strings.Repeat("b", 300), Bytes: 1, Total: 1 << 50}}
	for name, show := range map[string]func(*output) error{
		"list":  func(o *output) error { return runList(t.Context(), f, itsOwn, false, o) },
		"files": func(o *output) error { return runFiles(t.Context(), f, bad, o) },
		"peers": func(o *output) error { return runPeers(t.Context(), f, bad, o) },
	} {
		t.Run(name, func(t *testing.T) {
			out, stdout, _ := onTerminal()
			if err := show(out); err != nil {
				t.Fatal(err)
			}
			if strings.Count(stdout.String(), "\n") < 2 {
				t.Errorf("there is no table: %q", stdout)
			}
			checkScreen(t, stdout.String(), columns)
		})
	}
}

// The list asks for some fields only: none that it shows may be missing.
func TestListShowsWhatItAsksFor(t *testing.T) {
	one := share.Transfer{
		ID: testID(t, "1"), Name: "film.mkv", State: share.Fetching, Bytes: 25, Total: 100, Down: 2000, Up: 3000, Peers: 4,
		Reason: "waits its turn",
	}
	two := share.Transfer{ID: testID(t, "2"), Name: "empty", State: share.Seeding, Completed: time.Unix(1e9, 0), Looked: time.Now()}
	three := two
	three.ID, three.Name, three.Looked = testID(t, "3"), "old", time.Time{}
	f := newFake(one, two, three)
	out, stdout, _ := onTerminal()
	if err := runList(t.Context(), f, itsOwn, false, out); err != nil {
		t.Fatal(err)
	}
	want := `ID        STATE     DONE   SIZE  DOWN/S    UP/S  PEERS  NAME
` + one.ID.Short() + `  fetching   25%  100 B  2.0 kB  3.0 kB      4  film.mkv
  waits its turn
` + two.ID.Short() + `  seeding   100%    0 B                      0  empty
` + three.ID.Short() + `  seeding   100%    0 B                      0  old
  its files were not checked since the node started
`
	if stdout.String() != want {
		t.Errorf("got\n%swant\n%s", stdout, want)
	}
}

func TestShowIsSafe(t *testing.T) {
	out, stdout, _ := onTerminal()
	f := &viewed{fakeNode: newFake(), ways: []share.Way{{Source: share.FromTracker, Name: "http://a\x1b[2J", On: true, Error: "no\nway"}}}
	if err := runShow(t.Context(), f, theirs, hostile(t), out); err != nil {
		t.Fatal(err)
	}
	checkScreen(t, stdout.String(), 1<<20)
	for _, part := range []string{"99%", "4.6 EB (4,611,686,018,427,387,904 bytes) in 2,000,000 files", "ratio 1e+06 or 416d 15h"} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("%s\nlacks %q", stdout, part)
		}
	}
}

// Peers that were skipped are counted, with what would reach them.
func TestPeersOfIPv4AreCounted(t *testing.T) {
	f := &viewed{fakeNode: newFake()}
	one := share.Transfer{ID: testID(t, "1"), Name: "film.mkv", Peers: 2, Seeds: 1, IPv4Only: 3}
	const told = "3 peers skipped, IPv4 only (start the node with --ipv4 to use them)"
	out, stdout, stderr := onTerminal()
	if err := runShow(t.Context(), f, theirs, one, out); err != nil || !strings.Contains(stdout.String(), told) {
		t.Errorf("%v\n%s", err, stdout)
	}
	if err := runPeers(t.Context(), f, one, out); err != nil || stderr.String() != "film.mkv has no peers connected\n"+told+"\n" {
		t.Errorf("%v\n%s", err, stderr)
	}
}

// viewed is a node with peers, which were found in these ways.
type viewed struct {
	*fakeNode
	peers []share.Peer
	ways  []share.Way
}

func (v *viewed) Discovery(context.Context, share.ID) ([]share.Way, error) { return v.ways, nil }

func TestShowTellsWhoFoundPeers(t *testing.T) {
	f := &viewed{fakeNode: newFake(), ways: []share.Way{
		{Source: share.FromDHT, On: true, Found: 12}, {Source: share.FromLAN, On: true, Found: 1}, {Source: share.FromPEX},
		{Source: share.FromTracker, Name: "http://t/a", On: true, Error: "it does not answer"},
	}}
	out, stdout, _ := testOutput(false)
	if err := runShow(t.Context(), f, theirs, share.Transfer{}, out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(stdout.String()) {
		if strings.Contains(line, ": ") {
			got = append(got, strings.TrimSpace(strings.TrimPrefix(line, "found by")))
		}
	}
	if d := cmp.Diff([]string{"dht: 12 peers", "lan: 1 peer", "tracker http://t/a: 0 peers, it does not answer"}, got); d != "" {
		t.Errorf("%s\n%s", d, stdout)
	}
	out, stdout, _ = testOutput(true)
	if err := runShow(t.Context(), f, theirs, share.Transfer{ID: testID(t, "a")}, out); err != nil {
		t.Fatal(err)
	}
	var object struct {
		ID        string
		Discovery []share.Way
	}
	if err := json.Unmarshal(stdout.Bytes(), &object); err != nil || object.ID == "" || !cmp.Equal(object.Discovery, f.ways) {
		t.Errorf("%s, %v", stdout, err)
	}
}

func (v *viewed) Peers(context.Context, share.ID) ([]share.Peer, error) { return v.peers, nil }

func TestPeersBusiestFirst(t *testing.T) {
	f := &viewed{fakeNode: newFake(), peers: []share.Peer{
		{Address: "idle", Client: "c"}, {Address: "slow", Up: 1e6}, {Address: "fast", Down: 5e6, Source: share.FromDHT, Encrypted: true},
	}}
	out, stdout, _ := testOutput(false)
	if err := runPeers(t.Context(), f, share.Transfer{}, out); err != nil {
		t.Fatal(err)
	}
	want := "HAS  DOWN/S    UP/S  FROM  ADDRESS\n" +
		" 0%  5.0 MB          dht   fast\n  unknown client, encrypted\n" +
		" 0%          1.0 MB        slow\n  unknown client\n" +
		" 0%                        idle\n  c\n"
	if d := cmp.Diff(want, stdout.String()); d != "" {
		t.Error(d)
	}
}

func TestVerifyTellsWhatIsLost(t *testing.T) {
	good := share.Transfer{ID: testID(t, "a"), Name: "film", State: share.Seeding, Bytes: 100, Total: 100}
	for lost, want := range map[int64]share.Kind{0: 0, 40: share.Disk} {
		checking, after := good, good
		checking.State, checking.Bytes = share.Checking, 10
		after.Bytes -= lost
		if lost > 0 {
			after.State = share.Fetching
		}
		f := &verifying{newFake(good), checking}
		f.steps = []share.Event{changed(after)}
		out, stdout, _ := testOutput(true)
		err := runVerify(t.Context(), f, []string{"aaaa"}, out)
		checkKind(t, err, want)
		wanted := []map[string]any{{"event": "verified", "id": good.ID.String(), "name": "film",
			"bytes": float64(100 - lost), "total": 100., "lost": float64(lost)}}
		if d := cmp.Diff(wanted, jsonLines(t, stdout.String())); d != "" {
			t.Error(d)
		}
	}
}

// What a look has found before is told, too, and is not complete.
func TestVerifyTellsWhatWasLostBefore(t *testing.T) {
	edited := share.Transfer{ID: testID(t, "a"), Name: "film", State: share.Paused, Bytes: 0, Total: 100, Completed: time.Unix(1e9, 0)}
	checking, after := edited, edited
	checking.State, after.Bytes = share.Checking, 60
	f := &verifying{newFake(edited), checking}
	f.steps = []share.Event{changed(after)}
	out, _, _ := testOutput(false)
	checkKind(t, runVerify(t.Context(), f, []string{"aaaa"}, out), share.Disk)
	if complete(after) {
		t.Error("60 of 100 bytes are called complete")
	}
}

// Events that are older than the check end nothing.
func TestVerifyIsNotEndedByTheStateBefore(t *testing.T) {
	good := share.Transfer{ID: testID(t, "a"), Name: "film", State: share.Seeding, Bytes: 100, Total: 100}
	for _, before := range []share.State{share.Seeding, share.Stopped} {
		good.State = before
		checking, after := good, good
		checking.State, checking.Bytes = share.Checking, 10
		after.State, after.Bytes = share.Fetching, 60
		f := &verifying{newFake(good), checking}
		f.stale, f.steps = []share.Transfer{good}, []share.Event{changed(after)}
		out, _, _ := testOutput(true)
		checkKind(t, runVerify(t.Context(), f, []string{"aaaa"}, out), share.Disk)
		if len(f.steps) > 0 {
			t.Errorf("%s: it did not wait for the end", before)
		}
	}
}

// verifying is a node that begins to check when it is asked to.
type verifying struct {
	*fakeNode
	then share.Transfer
}

func (v *verifying) Verify(_ context.Context, id share.ID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.transfers[id] = v.then
	return nil
}

func TestLimits(t *testing.T) {
	f := &limited{newFake(film(t, "a")), api.Limits{Limits: share.Limits{Down: 5}}}
	change, err := parseLimits("", "2MB")
	if err != nil {
		t.Fatal(err)
	}
	out, stdout, stderr := testOutput(false)
	if err := limitNode(t.Context(), f, change, out); err != nil {
		t.Fatal(err)
	}
	if f.l.Limits != (share.Limits{Down: 5, Up: 2e6}) {
		t.Errorf("set %+v: one side was to change", f.l)
	}
	if want := "down  at most 5 B/s\nup    at most 2.0 MB/s\n"; stdout.String() != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
	if !strings.Contains(stderr.String(), "in effect now: down at most 1 B/s, up no limit (the schedule)") {
		t.Errorf("the limit in force is kept secret: %q", stderr)
	}
	// Of a transfer; somebody else has changed the other side meanwhile.
	before := film(t, "a")
	f.transfers[before.ID] = func() share.Transfer { now := before; now.Limits.Down = 7; return now }()
	out, stdout, _ = testOutput(false)
	if err := limitTransfer(t.Context(), f, before, change, out); err != nil {
		t.Fatal(err)
	}
	if got := f.transfers[before.ID].Limits; got != (share.Limits{Down: 7, Up: 2e6}) {
		t.Errorf("set %+v of the transfer: one side was to change", got)
	}
	if want := "down  at most 7 B/s\nup    at most 2.0 MB/s\n"; stdout.String() != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
	for _, bad := range []string{"fast", "-1", "1e400"} {
		_, err := parseLimits(bad, "")
		checkKind(t, err, share.Usage)
	}
}

type limited struct {
	*fakeNode
	l api.Limits
}

func (l *limited) Limits(context.Context) (api.Limits, error) { return l.l, nil }

func (l *limited) ChangeGlobalLimits(_ context.Context, c share.LimitChange) (api.Limits, error) {
	l.l = api.Limits{Limits: c.Apply(l.l.Limits), Now: share.Limits{Down: 1}, Reason: "the schedule"}
	return l.l, nil
}

func (l *limited) ChangeLimits(_ context.Context, id share.ID, c share.LimitChange) error {
	t := l.transfers[id]
	t.Limits = c.Apply(t.Limits)
	l.transfers[id] = t
	return nil
}

func TestChannelsSayWhatTheyHaveNoRoomFor(t *testing.T) {
	c := index.Channel{ID: index.ChannelID{7}, Name: "films", Entries: 3, Mirror: 150_000, Mirrored: 100_000}
	for left, want := range map[int]string{
		0:    "mirrors  100 kB of at most 150 kB\n",
		1:    "mirrors  100 kB of at most 150 kB; 1 entry does not fit\n",
		2000: "mirrors  100 kB of at most 150 kB; 2,000 entries do not fit\n",
	} {
		out, stdout, _ := onTerminal()
		c.Left = left
		showChannel(c, out)
		if !strings.Contains(stdout.String(), want) || strings.Contains(stdout.String(), "state") {
			t.Errorf("%d left: %s", left, stdout)
		}
		if said := stateOf(c); strings.Contains(said, "fit") != (left > 0) {
			t.Errorf("%d left: %q", left, said)
		}
	}
}
