package main

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

// film is a transfer in the middle of being fetched.
func film(t *testing.T, digit string) share.Transfer {
	id := testID(t, digit)
	return share.Transfer{
		ID: id, Name: "film" + digit, State: share.Fetching, Bytes: 10, Total: 100, Size: 100, Files: 1,
		Path: "/tmp/film" + digit, Down: 5, Peers: 2, Downloaded: 10,
	}
}

func finished(t share.Transfer) share.Transfer {
	t.State, t.Bytes, t.Downloaded, t.Completed = share.Paused, t.Total, 100, time.Unix(1e9, 0)
	t.Reason = "complete, not seeded"
	return t
}

func jsonLines(t *testing.T, s string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(s) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q is not a JSON object: %v", line, err)
		}
		out = append(out, v)
	}
	return out
}

func TestGetTellsProgressAndDone(t *testing.T) {
	a := film(t, "a")
	half := a
	half.Bytes = 50
	f := newFake(a)
	f.steps = []share.Event{changed(half), changed(finished(a))}
	out, stdout, stderr := testOutput(true)
	if err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}, out); err != nil {
		t.Fatal(err)
	}
	lines := jsonLines(t, stdout.String())
	if len(lines) != 3 {
		t.Fatalf("got %s", stdout)
	}
	want := map[string]any{"event": "progress", "id": a.ID.String(), "name": "filma", "state": "fetching",
		"bytes": 50., "total": 100., "down": 5., "up": 0., "peers": 2.}
	if d := cmp.Diff(want, lines[1]); d != "" {
		t.Error(d)
	}
	delete(lines[2], "seconds")
	want = map[string]any{"event": "done", "id": a.ID.String(), "name": "filma", "path": "/tmp/filma", "bytes": 100., "files": 1.}
	if d := cmp.Diff(want, lines[2]); d != "" {
		t.Error(d)
	}
	if stderr.Len() > 0 {
		t.Errorf("--json said %q to people", stderr)
	}
	if g := f.fetched[0].Goal; g == nil || !g.None {
		t.Errorf("a node of our own was asked to seed: %v", g)
	}
}

// Also what is complete before anything could be told has a line of progress.
func TestGetOfWhatIsHereTellsProgressOnce(t *testing.T) {
	a := finished(film(t, "a"))
	f := newFake(a)
	out, stdout, _ := testOutput(true)
	if err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}, out); err != nil {
		t.Fatal(err)
	}
	var events []any
	for _, l := range jsonLines(t, stdout.String()) {
		events = append(events, l["event"])
	}
	if d := cmp.Diff([]any{"progress", "done"}, events); d != "" {
		t.Error(d)
	}
}

// What a terminal shows at the end is what came of it, without the progress
// that led there.
func TestGetLeavesNoProgressBehind(t *testing.T) {
	a := film(t, "a")
	failed := a
	failed.State, failed.Reason, failed.Code = share.Stopped, "the disk is full", share.Disk.Code()
	for name, last := range map[string]share.Transfer{"done": finished(a), "failed": failed} {
		t.Run(name, func(t *testing.T) {
			f := newFake(a)
			f.steps = []share.Event{changed(a), {ID: a.ID, Transfer: &last}} // seen when time has passed
			out, _, stderr := testOutput(false)
			out.terminal = true
			opts := getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}
			if err := runGet(t.Context(), f, ours, opts, out); (err != nil) != (name == "failed") {
				t.Fatal(err)
			}
			shown := stderr.String()
			_, after, _ := strings.Cut(shown, "downloaded in ")
			if strings.Contains(after, "%") || strings.Contains(shown, ", 0 peers") || !strings.Contains(shown, "10 B of 100 B") {
				t.Errorf("stderr is %q", shown)
			}
		})
	}
}

func TestGetLeavesTheGoalToARunningNode(t *testing.T) {
	f := newFake(finished(film(t, "a")))
	out, stdout, _ := testOutput(false)
	if err := runGet(t.Context(), f, itsOwn, getOptions{told: map[string]bool{}, links: []string{strings.Repeat("a", 40)}, output: "/tmp"}, out); err != nil {
		t.Fatal(err)
	}
	if f.fetched[0].Goal != nil {
		t.Errorf("asked for %v", f.fetched[0].Goal)
	}
	if stdout.String() != "/tmp/filma\n" {
		t.Errorf("stdout is %q", stdout)
	}
}

func TestGetGivesUpWhenNobodyIsFound(t *testing.T) {
	a := film(t, "a")
	a.State, a.Peers, a.Bytes, a.Down = share.Finding, 0, 0, 0
	f := newFake(a)
	out, stdout, _ := testOutput(false)
	err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp", timeout: time.Nanosecond}, out)
	checkKind(t, err, share.Nobody)
	if stdout.Len() > 0 {
		t.Errorf("stdout is %q", stdout)
	}
	if want := "no peer that has filma was found"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestTimeoutStartsAnewWithEveryByte(t *testing.T) {
	now := time.Unix(0, 0)
	out, _, _ := testOutput(false)
	g := &getter{batch: newBatch(out, newFake()), named: map[*job]bool{}, renamed: map[*job]bool{}, opts: getOptions{timeout: time.Minute}}
	g.look, g.now = g.fetched, func() time.Time { return now }
	j := &job{moved: now}
	tr := film(t, "a")
	for i := range 10 {
		now = now.Add(50 * time.Second)
		tr.Bytes = int64(i)
		g.see(t.Context(), j, tr)
	}
	if j.ended {
		t.Fatalf("gave up although bytes arrived: %v", j.err)
	}
	now = now.Add(time.Minute)
	g.see(t.Context(), j, tr)
	checkKind(t, j.err, share.Nobody)
}

func TestGetStopsWithTheReasonOfTheTransfer(t *testing.T) {
	for code, want := range map[string]share.Kind{"": share.Disk, "disk": share.Disk, "refused": share.Refused} {
		a := film(t, "a")
		bad := a
		bad.State, bad.Reason, bad.Code = share.Stopped, "the disk is full", code
		f := newFake(a)
		f.steps = []share.Event{changed(bad)}
		out, _, _ := testOutput(false)
		err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}, out)
		checkKind(t, err, want)
		if !strings.Contains(err.Error(), "filma: the disk is full") {
			t.Errorf("%v does not give the reason", err)
		}
	}
}

func TestGetWakesWhatWasStopped(t *testing.T) {
	for _, state := range []share.State{share.Paused, share.Stopped} {
		a := film(t, "a")
		a.State, a.Reason = state, "an old reason"
		f := newFake(a)
		f.steps = []share.Event{changed(finished(a))}
		out, stdout, _ := testOutput(false)
		err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}, out)
		if err != nil || len(f.resumed) != 1 || stdout.String() != "/tmp/filma\n" {
			t.Errorf("%s: %v, resumed %d times, stdout %q", state, err, len(f.resumed), stdout)
		}
	}
}

func TestOneBadLinkDoesNotStopTheOthers(t *testing.T) {
	a, b := film(t, "a"), film(t, "b")
	f := newFake(a, b)
	f.steps = []share.Event{
		{Type: share.EventRemoved, ID: b.ID},
		changed(finished(a)),
	}
	delete(f.transfers, b.ID)
	f.refuse["magnet:?xt=urn:btih:"+b.ID.String()] = nil
	out, stdout, stderr := testOutput(false)
	links := []string{"no such file", a.ID.String()}
	err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: links, output: "/tmp"}, out)
	checkKind(t, err, share.Refused)
	if !errors.Is(err, errReported) {
		t.Error("the failure would be told twice")
	}
	if stdout.String() != "/tmp/filma\n" {
		t.Errorf("stdout is %q", stdout)
	}
	if n := strings.Count(stderr.String(), "shoal: "); n != 1 {
		t.Errorf("stderr is %q", stderr)
	}
}

func TestGetOfARemovedTransferFails(t *testing.T) {
	a := film(t, "a")
	f := newFake(a)
	f.steps = []share.Event{{Type: share.EventRemoved, ID: a.ID}}
	out, _, _ := testOutput(false)
	err := runGet(t.Context(), removing{f, a.ID}, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}, out)
	checkKind(t, err, share.Failed)
}

// removing is a node that has forgotten one transfer by the time it is asked.
type removing struct {
	*fakeNode
	gone share.ID
}

func (r removing) Transfer(ctx context.Context, id share.ID) (share.Transfer, error) {
	if id == r.gone {
		return share.Transfer{}, share.Errorf(share.Failed, "%w", share.ErrUnknown)
	}
	return r.fakeNode.Transfer(ctx, id)
}

func TestGetInterrupted(t *testing.T) {
	a := film(t, "a")
	for life, want := range map[lifetime]string{ours: "give the same command again", itsOwn: "the node continues the download"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		out, _, _ := testOutput(false)
		f := newFake(a)
		stopping := interrupting{f, func() { cancel(errInterrupted) }}
		err := runGet(ctx, stopping, life, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}, out)
		checkKind(t, err, share.Interrupted)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lifetime %d: %v lacks %q", life, err, want)
		}
	}
}

// interrupting is a node whose user loses patience while files are awaited.
type interrupting struct {
	*fakeNode
	stop func()
}

func (i interrupting) Events(ctx context.Context, ids ...share.ID) iter.Seq2[share.Event, error] {
	return func(yield func(share.Event, error) bool) {
		i.stop()
		i.fakeNode.Events(ctx, ids...)(yield)
	}
}

func TestGetDetached(t *testing.T) {
	a := film(t, "a")
	out, stdout, _ := testOutput(true)
	if err := runGet(t.Context(), newFake(a), itsOwn, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp", detach: true}, out); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{"event": "added", "id": a.ID.String(), "name": "filma", "state": "fetching"}}
	if d := cmp.Diff(want, jsonLines(t, stdout.String())); d != "" {
		t.Error(d)
	}
}

func TestGetIntoAPipe(t *testing.T) {
	a := film(t, "a")
	a.Path = ""
	f := newFake(a)
	f.content = "the film"
	f.files = []share.File{{Index: 0, Path: "x", Priority: share.Skip}, {Index: 1, Path: "film", Total: 8}}
	out, stdout, _ := testOutput(false)
	if err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}}, out); err != nil {
		t.Fatal(err)
	}
	if stdout.String() != "the film" {
		t.Errorf("stdout is %q", stdout)
	}
	if len(f.removed) != 1 {
		t.Error("what passed through was kept")
	}
	if r := f.fetched[0]; !r.Sequential || r.Output == "" {
		t.Errorf("asked for %+v", r)
	}
	if _, err := os.Stat(f.fetched[0].Output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder it passed through is still there: %v", err)
	}
}

// What the node downloads already is written as it arrives, and stays in the list.
func TestGetIntoAPipeOfWhatIsComing(t *testing.T) {
	for name, c := range map[string]struct {
		state   share.State
		files   []share.File
		globs   []string
		refused string
	}{
		"fetching":      {state: share.Fetching, files: []share.File{{Path: "film", Total: 8, Bytes: 3}}},
		"queued":        {state: share.Queued, files: []share.File{{Path: "film", Total: 8}}},
		"complete":      {state: share.Paused, files: []share.File{{Path: "film", Total: 8, Bytes: 8}}},
		"one of two":    {state: share.Fetching, files: []share.File{{Path: "film", Total: 8}, {Index: 1, Path: "b", Total: 9}}, globs: []string{"film"}},
		"two":           {state: share.Fetching, files: []share.File{{Path: "film", Total: 8}, {Index: 1, Path: "b", Total: 9}}, refused: "takes only one file"},
		"paused":        {state: share.Paused, files: []share.File{{Path: "film", Total: 8, Bytes: 3}}, refused: "resume it"},
		"stopped":       {state: share.Stopped, files: []share.File{{Path: "film", Total: 8, Bytes: 3}}, refused: "resume it"},
		"without files": {state: share.Finding, refused: "does not know its files yet"},
		"left out": {state: share.Fetching, files: []share.File{{Path: "film", Total: 8, Priority: share.Skip}, {Index: 1, Path: "b", Total: 9}},
			globs: []string{"film"}, refused: "without film: select it"},
		"left out, and here": {state: share.Seeding, files: []share.File{{Path: "film", Total: 8, Bytes: 8, Priority: share.Skip}, {Index: 1, Path: "b", Total: 9}},
			globs: []string{"film"}},
	} {
		a := film(t, "a")
		a.State = c.state
		f := newFake(a)
		f.content, f.files, f.present = "the film", c.files, &a
		out, stdout, _ := testOutput(false)
		err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, files: c.globs}, out)
		switch {
		case c.refused != "":
			if kindOf(err) != share.Usage || !strings.Contains(err.Error(), c.refused) || stdout.Len() > 0 {
				t.Errorf("%s: %v; %q", name, err, stdout)
			}
		case err != nil || stdout.String() != "the film":
			t.Errorf("%s: %v; %q", name, err, stdout)
		}
		if len(f.removed)+len(f.fetched)+len(f.resumed) > 0 {
			t.Errorf("%s: the transfer was changed: %+v", name, f)
		}
	}
}

func TestPipeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files   []share.File
		content string
		kind    share.Kind
	}{
		"several files":  {files: []share.File{{Path: "a"}, {Path: "b"}}, kind: share.Usage},
		"no match":       {files: []share.File{{Path: "a", Priority: share.Skip}}, kind: share.Usage},
		"a short answer": {files: []share.File{{Path: "a", Total: 9}}, content: "short", kind: share.Disk},
	} {
		f := newFake(film(t, "a"))
		f.files, f.content = c.files, c.content
		out, _, _ := testOutput(false)
		err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{strings.Repeat("a", 40)}}, out)
		if kindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSource(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	id := strings.Repeat("ab", 20)
	magnet := "magnet:?xt=urn:btih:" + id
	torrent := write("x.torrent", "d4:infode")
	for arg, want := range map[string][2]string{
		id:                                   {magnet},
		strings.ToUpper(id):                  {magnet},
		magnet + "&dn=x":                     {magnet + "&dn=x"},
		write("link.txt", "\n "+magnet+"\n"): {magnet},
		torrent:                              {"", "d4:infode"},
		"https://example.org/x.torrent":      {"https://example.org/x.torrent"},
		strings.Repeat("a", 32):              {"magnet:?xt=urn:btih:" + strings.Repeat("0", 40)},
	} {
		src, err := parseSource(arg)
		if arg == strings.Repeat("a", 32) { // base32 of all zeros
			checkKind(t, err, share.Refused)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", arg, err)
			continue
		}
		link, content := src.ask()
		if link != want[0] || string(content) != want[1] {
			t.Errorf("%s became %q, %q", arg, link, content)
		}
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxTorrent+1); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"no such file", dir, big, "magnet:?xt=urn:btih:zz"} {
		_, err := parseSource(arg)
		checkKind(t, err, share.Refused)
	}
}
