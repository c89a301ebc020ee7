package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
)

func testOutput(asJSON bool) (*output, *bytes.Buffer, *bytes.Buffer) {
	var stdout, stderr bytes.Buffer
	return &output{stdout: &stdout, stderr: &stderr, json: asJSON, width: func() int { return columns }}, &stdout, &stderr
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain name.txt":         "plain name.txt",
		"grüße 日本 👩\u200d👩":      "grüße 日本 👩\u200d👩",
		"a\nb\x1b[2Jc\x7f":       `a\x0ab\x1b[2Jc\x7f`,
		"invoice\u202Efdp.exe":   `invoice\u202efdp.exe`,
		"zero\u200bwidth\ufeff":  `zero\u200bwidth\ufeff`,
		"line\u2028sep":          `line\u2028sep`,
		"bad\xff\xfebytes":       `bad\xff\xfebytes`,
		"kept \ufffd":            "kept \ufffd",
		"tag\U000E0041":          `tag\U000e0041`,
		"c1\u009b31m":            `c1\u009b31m`,
		"isolate\u2066x\u2069 y": `isolate\u2066x\u2069 y`,
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := escape(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
		for _, r := range s {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%q let %U through", s, r)
			}
		}
	})
}

func TestClipNeverWider(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		n := rapid.IntRange(0, 30).Draw(t, "columns")
		got := clip(s, n)
		if cells(got) > n {
			t.Fatalf("clip(%q, %d) = %q takes %d columns", s, n, got, cells(got))
		}
		if cells(s) <= n && got != s {
			t.Fatalf("clip(%q, %d) = %q, but it fitted", s, n, got)
		}
	})
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"photos":            "photos",
		"":                  "''",
		"magnet:?xt=a&dn=b": "'magnet:?xt=a&dn=b'",
		"it's":              `'it'\''s'`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0:                                  "0s",
		400 * time.Millisecond:             "0s",
		59 * time.Second:                   "59s",
		61 * time.Second:                   "1m 1s",
		time.Hour:                          "1h",
		2*time.Hour + 5*time.Minute + 9e9:  "2h 5m",
		50 * time.Hour:                     "2d 2h",
		24*time.Hour + 5*time.Second + 1e8: "1d",
	} {
		if got := span(in); got != want {
			t.Errorf("span(%v) = %q, want %q", in, got, want)
		}
	}
}

func TestPercentReachesHundredOnlyAtTheEnd(t *testing.T) {
	if got := percent(1<<40-1, 1<<40); got != 99 {
		t.Errorf("one byte short is %d %%", got)
	}
	if got := percent(5, 5); got != 100 {
		t.Errorf("all is %d %%", got)
	}
	if got := percent(0, 0); got != 0 {
		t.Errorf("nothing of nothing is %d %%", got)
	}
}

func TestTableLinesUp(t *testing.T) {
	out, stdout, _ := testOutput(false)
	out.table([]column{{title: "SIZE", right: true}, {title: "STATE"}, {title: "NAME"}}, []row{
		{cells: []string{"1 B", "seeding", "日本"}},
		{cells: []string{"12 GB", "error", "x"}, note: "the disk is full"},
	})
	want := " SIZE  STATE    NAME\n  1 B  seeding  日本\n12 GB  error    x\n  the disk is full\n"
	if got := stdout.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTableIsClippedOnATerminalOnly(t *testing.T) {
	name := strings.Repeat("n", 200)
	for _, page := range []func() int{nil, func() int { return columns }} {
		out, stdout, _ := testOutput(false)
		out.page = page
		out.table([]column{{title: "ID"}, {title: "NAME"}}, []row{{cells: []string{"0123", name}}})
		if whole := strings.Contains(stdout.String(), name); whole != (page == nil) {
			t.Errorf("terminal %t: whole name shown: %t", page != nil, whole)
		}
	}
}

func TestBarsFitTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) share.Transfer {
			all := rapid.Int64Range(0, 1<<50).Draw(t, "total")
			return share.Transfer{
				Name:  rapid.String().Draw(t, "name"),
				State: rapid.SampledFrom(share.States[:]).Draw(t, "state"),
				Total: all, Bytes: rapid.Int64Range(0, all).Draw(t, "bytes"),
				Down: rapid.Int64Range(0, 1<<40).Draw(t, "down"), Up: rapid.Int64Range(0, 1<<40).Draw(t, "up"),
				Peers: rapid.IntRange(0, 5000).Draw(t, "peers"), Reason: rapid.String().Draw(t, "reason"),
			}
		}), 1, 4).Draw(t, "transfers")
		width := rapid.IntRange(20, 200).Draw(t, "width")
		line := sum(ts).bar(width)
		if cells(line) > width {
			t.Fatalf("%q takes %d columns of %d", line, cells(line), width)
		}
		if strings.ContainsAny(line, "\r\n\x1b") {
			t.Fatalf("%q moves the cursor", line)
		}
	})
}

func TestBar(t *testing.T) {
	fetching := share.Transfer{
		Name: "film.mkv", State: share.Fetching, Bytes: 45e6, Total: 100e6, Down: 2.5e6, Peers: 3,
	}
	got := sum([]share.Transfer{fetching}).bar(79)
	for _, part := range []string{" 45% |██", "45 MB of 100 MB", "2.5 MB/s", "22s left", "3 peers"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q lacks %q", got, part)
		}
	}
	if cells(got) < 75 {
		t.Errorf("%q leaves much of the line empty", got)
	}
	fetching.Reason = "all data has arrived and is being written to the disk"
	if got := sum([]share.Transfer{fetching}).bar(79); !strings.Contains(got, fetching.Reason) || strings.Contains(got, "left") {
		t.Errorf("%q says how long it takes, not what", got)
	}
	hashing := share.Transfer{Name: "photos", State: share.Hashing, Bytes: 0, Total: 10e9}
	if got := sum([]share.Transfer{hashing}).bar(79); !strings.HasPrefix(got, "reading photos   0% |  ") {
		t.Errorf("got %q", got)
	}
}

func TestPlainProgressIsCalm(t *testing.T) {
	out, _, stderr := testOutput(false)
	now := time.Unix(0, 0)
	p := &progress{out: out, now: func() time.Time { return now }}
	for i := range 21 {
		tr := share.Transfer{Name: "film", State: share.Fetching, Bytes: int64(i) * 1e6, Total: 100e6, Down: 1e6, Peers: 1}
		p.update(tr, []share.Transfer{tr})
		now = now.Add(time.Second)
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if len(lines) != 4 { // at 1, 6, 11 and 16 seconds
		t.Errorf("21 seconds made %d lines:\n%s", len(lines), stderr)
	}
	if want := "film: 6%, 6.0 MB of 100 MB, 1.0 MB/s, 1m 34s left, 1 peer"; lines[1] != want {
		t.Errorf("got %q, want %q", lines[1], want)
	}
}

func TestStatusLineMakesRoomForOtherLines(t *testing.T) {
	out, stdout, stderr := testOutput(false)
	out.terminal = true
	out.status("45% |██  |")
	out.say("hello")
	out.data("data")
	out.status("")
	if want := "45% |██  |" + "\r\x1b[K" + "hello\n" + "45% |██  |" + "\r\x1b[K" + "45% |██  |" + "\r\x1b[K"; stderr.String() != want {
		t.Errorf("stderr is %q", stderr)
	}
	if stdout.String() != "data\n" {
		t.Errorf("stdout is %q", stdout)
	}
}

// A terminal that became narrower has wrapped the line of progress: all of its rows go.
func TestNarrowerTerminalKeepsNoRuins(t *testing.T) {
	for _, reflows := range []bool{true, false} {
		out, _, stderr := testOutput(false)
		width := 80
		out.terminal, out.reflows, out.width = true, reflows, func() int { return width }
		out.status(strings.Repeat("x", 79))
		width = 30
		stderr.Reset()
		out.status("short")
		want := "\r\x1b[2A\x1b[Jshort"
		if !reflows {
			want = "\r\x1b[Kshort"
		}
		if stderr.String() != want {
			t.Errorf("reflows %t: %q, want %q", reflows, stderr, want)
		}
	}
}

// Colours repeat what is said: without them the text is the same.
func TestColoursAreOnlyAdded(t *testing.T) {
	screen := func(colour bool) string {
		out, stdout, stderr := testOutput(false)
		out.page, out.colour, out.alarm = func() int { return 40 }, colour, colour
		out.table([]column{{title: "ID"}, {title: "STATE", toned: true}, {title: "NAME"}}, []row{
			{cells: []string{"3fa9", "seeding", strings.Repeat("漢", 40)}, tone: good},
			{cells: []string{"77aa", "error", "b"}, note: "reason", tone: bad},
			{cells: []string{"12", "", "c"}, tone: bad},
		})
		writeVerdict("TCP", share.Unreachable, "", time.Time{}, time.Time{}, out)
		out.fail(share.Errorf(share.Usage, "wrong"))
		return stdout.String() + stderr.String()
	}
	plain, colour := screen(false), screen(true)
	if strings.Contains(plain, "\x1b") {
		t.Errorf("colours that nobody wants: %q", plain)
	}
	if n := strings.Count(colour, "\x1b[31m"); n != 3 {
		t.Errorf("%d red words, want those of the state, the verdict and the failure: %q", n, colour)
	}
	if got := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(colour, ""); got != plain {
		t.Errorf("without its colours %q, want %q", got, plain)
	}
}

func TestTimeLeftWhileReading(t *testing.T) {
	out, _, stderr := testOutput(false)
	now := time.Unix(1e9, 0)
	p := newProgress(out)
	p.now = func() time.Time { return now }
	tr := share.Transfer{Name: "photos", State: share.Hashing, Bytes: 1e9, Total: 10e9}
	for range 3 { // 1 GB in a second
		p.people([]share.Transfer{tr})
		now = now.Add(time.Second)
		tr.Bytes += 1e9
	}
	if got := p.pace.of(sum([]share.Transfer{tr}), now); got != 1e9 {
		t.Errorf("reads %f bytes per second", got)
	}
	p.next = now
	p.people([]share.Transfer{tr})
	if !strings.Contains(stderr.String(), "reading photos: 40%, 4.0 GB of 10 GB, 6s left\n") {
		t.Errorf("says %q", stderr)
	}
	next := share.Transfer{Name: "other", State: share.Hashing, Bytes: 0, Total: 5e9}
	if got := p.pace.of(sum([]share.Transfer{next}), now); got != 0 {
		t.Errorf("the next share begins with a pace of %f", got)
	}
	done := share.Transfer{Name: "photos", State: share.Seeding, Bytes: 10e9, Total: 10e9}
	if got := p.pace.of(sum([]share.Transfer{done}), now); got != 0 || p.pace != (pace{}) {
		t.Errorf("what is seeded is still read: %f", got)
	}
}

func TestFailInBothForms(t *testing.T) {
	out, stdout, stderr := testOutput(true)
	out.fail(share.Errorf(share.Refused, "bad\x1bname"))
	if got := stdout.String(); got != `{"event":"error","code":"refused","message":"bad\u001bname"}`+"\n" {
		t.Errorf("stdout is %s", got)
	}
	if got := stderr.String(); got != "shoal: bad\\x1bname\n" {
		t.Errorf("stderr is %s", got)
	}
}
