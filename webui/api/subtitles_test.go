package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/shoalnet/shoal/share"
)

const film = "1\r\n00:00:01,000 --> 00:00:02,500\r\nSchöne <i>Grüße</i>\r\nund mehr\r\n\r\n2\r\n00:01:02,5 --> 00:01:04,000  X1:40 X2:600\r\n{\\an8}Und tschüß\r\n"

const filmVTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nSchöne <i>Grüße</i>\nund mehr\n\n00:01:02.500 --> 00:01:04.000\nUnd tschüß\n"

func TestSubtitlesInEveryEncoding(t *testing.T) {
	for name, e := range map[string]encoding.Encoding{
		"UTF-8":             encoding.Nop,
		"UTF-8 with a mark": unicode.UTF8BOM,
		"UTF-16 LE, marked": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
		"UTF-16 BE, marked": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
		"UTF-16 LE":         unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
		"UTF-16 BE":         unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
		"Latin-1":           charmap.ISO8859_1,
		"Windows-1252":      charmap.Windows1252,
	} {
		b, err := e.NewEncoder().Bytes([]byte(film))
		if err != nil {
			t.Fatal(name, err)
		}
		if got := string(WebVTT(b)); got != filmVTT {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSubtitlesKeepNothingButCues(t *testing.T) {
	for in, want := range map[string]string{
		"": "WEBVTT\n",
		"<!doctype html><script>alert(1)</script>": "WEBVTT\n",
		"WEBVTT - a title\n\nSTYLE\n::cue { background: url(//x) }\n\nNOTE no\n\nid\n01:02.003 --> 01:03.000 line:0 align:start\n<v Ann>Hi\n": "WEBVTT\n\n00:01:02.003 --> 00:01:03.000 line:0 align:start\nHi\n",
		"00:01.000 --> 00:02.000 onload:x\na":                                                      "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na\n",
		"00:00:01,0 --> 00:00:02,0\n<b>1 < 2 & 3 > 2</b> &lt; <img src=x onerror=y> --> <script>x": "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<b>1 &lt; 2 &amp; 3 &gt; 2</b> &lt;  --&gt; x\n",
		"00:00:01,0 --> 00:00:02,0\n\n00:00:03,0 --> 00:00:04,0\nx\n00:00:05,0 --> 00:00:06,0\ny":  "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n\n00:00:03.000 --> 00:00:04.000\nx\n\n00:00:05.000 --> 00:00:06.000\ny\n",
	} {
		if got := string(WebVTT([]byte(in))); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestSubtitlesAreServed(t *testing.T) {
	f := newFake(1)
	f.content = []byte(film)
	f.files = []share.File{{Index: 0, Path: "film.mp4", Total: 10}, {Index: 1, Path: "a/Film.SRT", Total: int64(len(film))}, {Index: 2, Path: "big.srt", Total: maxSubtitles + 1}}
	_, a, base := serve(t, f)
	url := base + Base + "/transfers/" + testID(0).String() + "/files/"
	resp, err := http.Get(url + "1/subtitles")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h := resp.Header
	if resp.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/vtt; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%s %v", resp.Status, h)
	}
	if status, body := ask(t, "GET", url+"1/subtitles", "", ""); status != http.StatusOK || body != strings.TrimSpace(filmVTT) {
		t.Errorf("%d %q", status, body)
	}
	for file, says := range map[string]string{"0": "not a file of subtitles", "2": "not converted", "7": "has no file 7"} {
		if status, body := ask(t, "GET", url+file+"/subtitles", "", ""); status < 400 || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s", file, status, body)
		}
	}
	if len(a.reads) != 0 {
		t.Errorf("%d slots are taken", len(a.reads))
	}
}

// Whoever plays says so; whoever saves does not.
func TestPlayingIsToldApart(t *testing.T) {
	f := newFake(1)
	f.content = []byte("0123456789")
	f.files = []share.File{{Index: 0, Path: "film.mp4", Total: 10}}
	_, _, base := serve(t, f)
	url := base + Base + "/transfers/" + testID(0).String()
	for query, want := range map[string]int{"": 0, "?play=true": 1} {
		f.calls = nil
		if status, body := ask(t, "GET", url+"/files/0/content"+query, "", ""); status != http.StatusOK || body != "0123456789" || len(f.calls) != want {
			t.Errorf("%q: %d %q %v", query, status, body, f.calls)
		}
	}
	if status, body := ask(t, "GET", url+"/streams", "", ""); status != http.StatusOK || !strings.Contains(body, `"ready":7`) || !strings.Contains(body, `"held":16384`) {
		t.Errorf("%d %s", status, body)
	}
}

var onlyCues = regexp.MustCompile(`^WEBVTT\n(\n\d\d\d?:\d\d:\d\d\.\d{3} --> \d\d\d?:\d\d:\d\d\.\d{3}[^\n]*\n([^\n]+\n)*)*$`)
var allowed = regexp.MustCompile(`</?[biu]>|&(amp|lt|gt|nbsp);`)

// Whatever the file, the result is cues without any other markup.
func FuzzWebVTT(f *testing.F) {
	for _, s := range []string{film, filmVTT, "\xff\xfe1\x00", "00:00:01,0 --> 00:00:02,0\n<<b>i>&am</b", "0:0:0.0-->0:0:0.0 line:-1\n\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := string(WebVTT(b))
		if !utf8.ValidString(got) || !onlyCues.MatchString(got) {
			t.Errorf("%q became %q", b, got)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if cueTime.MatchString(line) {
				continue
			}
			if rest := allowed.ReplaceAllString(line, ""); strings.ContainsAny(rest, "<>&") {
				t.Errorf("%q became %q", b, line)
			}
		}
	})
}
