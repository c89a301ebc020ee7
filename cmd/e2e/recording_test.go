//go:build linux

package e2e

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

const picture = "../../docs/images/shoal.svg"

// The moving picture of the README is made of what two real terminals show while a folder
// goes from one to the other. RECORD=1 writes it (make recording); otherwise less is
// shared, and the picture is only looked at.
//
//	alice ── router ── core ── router (12 MB/s) ── bob
func TestRecording(t *testing.T) {
	t.Parallel()
	recording := os.Getenv("RECORD") != ""
	size, rate := int64(60_000), int64(1<<20)
	if recording {
		size, rate = 3_600_000, 14<<20
	}
	net := lab.New(t)
	alice, home := at(t, net.Home("alice")), net.Router("bob")
	home.Bandwidth(rate, 0)
	bob := at(t, home.Host("bob"))
	photos := filepath.Join(alice.home, "photos")
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 34 {
		random(t, filepath.Join(photos, fmt.Sprintf("beach %02d.jpg", i)), size+int64(i*1000), byte(i))
	}

	began := time.Now()
	const wide = 100
	left, right := newTerminal(t, alice, wide, began), newTerminal(t, bob, wide, began)
	run := func(u *user, on *terminal, args ...string) *lab.Proc {
		typed := strings.Join(append([]string{"shoal"}, args...), " ")
		if m := regexp.MustCompile(`magnet:\S+`).FindString(typed); m != "" {
			typed = strings.Replace(typed, m, "'"+m+"'", 1)
		}
		on.types(typed)
		cmd := u.bare(args...)
		cmd.Env = append(cmd.Env, "TERM=xterm-256color", "SHOAL_BOOTSTRAP=none", "SHOAL_NO_LAN=true")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = on.user, on.user, on.user
		return u.StartCmd(cmd)
	}
	run(alice, left, "share", "photos")
	link := left.shows(t, `magnet:\?\S+`)
	left.shows(t, `Ctrl-C ends it\.`)
	get := run(bob, right, "get", link)
	if status := get.Wait(); status != 0 {
		t.Fatalf("status %d\n%s", status, right.all())
	}
	right.shows(t, `downloaded in .*\)`)
	if recording { // the rate ends some seconds after the last byte
		left.shows(t, `0 B/s up  \d+ MB uploaded`)
	}
	identical(t, photos, filepath.Join(bob.home, "photos"))

	made := draw([]*terminal{left, right}, wide, time.Since(began)+5*time.Second)
	if recording {
		if err := os.WriteFile(picture, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	for name, svg := range map[string][]byte{"made": made, "kept": kept} {
		if len(svg) > 60_000 {
			t.Errorf("the %s picture has %d bytes", name, len(svg))
		}
		for _, part := range []string{"<title>", "<desc>", "prefers-reduced-motion", "prefers-color-scheme", "shoal share photos", "magnet:?xt=urn:btih:", ", downloaded in "} {
			if !bytes.Contains(svg, []byte(part)) {
				t.Errorf("the %s picture has no %s", name, part)
			}
		}
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("the %s picture: %v", name, err)
			}
		}
	}
}

// shows waits until a terminal shows something, and gives it. Lines that fill the
// terminal are read as going on in the next.
func (m *terminal) shows(t testing.TB, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern + `\s`)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if found := re.FindString(m.all()); found != "" {
			return strings.TrimSpace(found)
		}
	}
	t.Fatalf("the terminal does not show %s:\n%s", pattern, m.all())
	return ""
}

func (m *terminal) all() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, line := range m.cells {
		b.WriteString(plain(line))
		if len(line) < m.wide {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// draw makes a picture in which each version of a line is seen in its time. Who wants no
// motion sees the end.
func draw(panes []*terminal, wide int, lasts time.Duration) []byte {
	const cellWide, lineHigh, edge, gap = 8.4, 19, 20, 48
	var lines, frames bytes.Buffer
	y, n := 0, 0
	percent := func(d time.Duration) string { return fmt.Sprintf("%.2f%%", 100*d.Seconds()/lasts.Seconds()) }
	for _, p := range panes {
		top := y
		fmt.Fprintf(&lines, "<text class=\"f\" x=\"%d\" y=\"%d\">%s</text>\n", edge, y+24, p.name)
		y += gap
		p.mu.Lock()
		for _, versions := range p.shown {
			for i, v := range versions {
				text := strings.TrimRight(plain(v.text), " ")
				if text == "" {
					continue
				}
				last := i == len(versions)-1
				class := "v"
				fmt.Fprintf(&frames, "@keyframes k%d{0%%{visibility:hidden}%s{visibility:visible}", n, percent(v.at))
				if last {
					class = "v z"
				} else {
					fmt.Fprintf(&frames, "%s{visibility:hidden}", percent(versions[i+1].at))
				}
				frames.WriteString("}\n")
				fmt.Fprintf(&lines, "<text class=\"%s\" style=\"animation-name:k%d\" x=\"%d\" y=\"%d\" textLength=\"%.1f\">%s</text>\n",
					class, n, edge, y, float64(len([]rune(text)))*cellWide, spans(v.text[:len([]rune(text))]))
				n++
			}
			y += lineHigh
		}
		p.mu.Unlock()
		fmt.Fprintf(&lines, "<rect x=\"5.5\" y=\"%d.5\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", top+5, int(float64(wide)*cellWide)+2*edge-11, y-top-11)
		y += 4
	}
	width, height := int(float64(wide)*cellWide)+2*edge, y
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">
<title>shoal share and shoal get in two terminals</title>
<desc>On the first machine, shoal share photos prints a magnet link. On the second, shoal get with that link downloads the 34 files straight from the first, and shows the progress.</desc>
<style>
svg{background:#fff;color:#1f2328;--g:#116329;--r:#a40e26;--b:#0550ae;--f:#59636e}
@media(prefers-color-scheme:dark){svg{background:#0d1117;color:#e6edf3;--g:#56d364;--r:#ff7b72;--b:#79c0ff;--f:#9198a1}}
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:currentColor}
rect{fill:none;stroke:var(--f);stroke-opacity:.4}
.g{fill:var(--g)}.r{fill:var(--r)}.b{fill:var(--b)}.f{fill:var(--f)}
.v{visibility:hidden;animation:%.1fs step-end infinite}.z{visibility:visible}
@media(prefers-reduced-motion:reduce){.v{animation:none!important}}
%s</style>
%s</svg>
`, width, height, width, height, lasts.Seconds(), &frames, &lines)
	return b.Bytes()
}

// spans is the text of a line, with its colours.
func spans(text []cell) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && text[j].tone == text[i].tone {
			j++
		}
		var part bytes.Buffer
		xml.EscapeText(&part, []byte(plain(text[i:j])))
		if text[i].tone == "" {
			b.Write(part.Bytes())
		} else {
			fmt.Fprintf(&b, `<tspan class="%s">%s</tspan>`, text[i].tone, &part)
		}
		i = j
	}
	return strings.ReplaceAll(b.String(), "&#39;", "'")
}
