//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is the part of a terminal that shoal uses, and it remembers what each of its
// lines showed when. Its lines never scroll.
type terminal struct {
	wide   int
	user   *os.File // what a program is given
	master *os.File
	began  time.Time
	read   chan struct{} // closed when nobody writes any more

	home string // of the user, shown as /home/NAME
	name string

	mu     sync.Mutex
	cells  [][]cell
	x, y   int
	tone   string // of what is written now, a class of the picture
	half   []byte // the beginning of a sequence whose rest was not read yet
	shown  [][]version
	settle time.Duration // a line that changes again within this time had no version of its own
}

type cell struct {
	r    rune
	tone string
}

// version is what a line showed from a time on.
type version struct {
	at   time.Duration
	text []cell
}

// newTerminal opens a terminal of somebody, of that many columns. Times count from began.
func newTerminal(t testing.TB, of *user, wide int, began time.Time) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(wide)}); err != nil {
		t.Fatal(err)
	}
	user, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := &terminal{home: of.home, name: of.Name, wide: wide, user: user, master: master, began: began, read: make(chan struct{}), settle: 250 * time.Millisecond}
	go func() {
		defer close(m.read)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			m.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		user.Close()
		master.Close()
		<-m.read
	})
	return m
}

// types writes a command as somebody who types it, or pastes what is longer than a name.
func (m *terminal) types(command string) {
	m.Write([]byte("$ "))
	for _, word := range strings.SplitAfter(command, " ") {
		time.Sleep(300 * time.Millisecond) // what is watched takes its time
		m.Write([]byte(word))
	}
	time.Sleep(400 * time.Millisecond)
	m.Write([]byte("\r\n"))
}

func (m *terminal) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := string(append(m.half, b...))
	if m.home != "" {
		text = strings.ReplaceAll(text, m.home, "/home/"+m.name)
	}
	m.half = nil
	for text != "" {
		n := m.take(text)
		if n == 0 {
			m.half = []byte(text)
			break
		}
		text = text[n:]
	}
	m.note(time.Since(m.began))
	return len(b), nil
}

// take carries out the character or sequence that text begins with, and gives its length;
// 0 if the rest of it is yet to come.
func (m *terminal) take(text string) int {
	switch text[0] {
	case '\r':
		m.x = 0
		return 1
	case '\n':
		m.y++
		return 1
	case 0x1b:
		end := strings.IndexFunc(text, func(r rune) bool { return r >= '@' && r <= '~' && r != '[' })
		if end < 0 {
			return 0
		}
		m.control(text[2:end], text[end])
		return end + 1
	}
	r, n := rune(0), 0
	for i, c := range text {
		if i > 0 {
			break
		}
		r, n = c, len(string(c))
	}
	if r == '\uFFFD' {
		if len(text) < 4 {
			return 0
		}
		n = 1
	}
	if m.x >= m.wide {
		m.x, m.y = 0, m.y+1
	}
	line := m.line(m.y)
	for len(*line) <= m.x {
		*line = append(*line, cell{r: ' '})
	}
	(*line)[m.x] = cell{r, m.tone}
	m.x++
	return n
}

func (m *terminal) line(y int) *[]cell {
	for len(m.cells) <= y {
		m.cells = append(m.cells, nil)
	}
	return &m.cells[y]
}

func (m *terminal) control(parameter string, what byte) {
	n, _ := strconv.Atoi(parameter)
	switch what {
	case 'A':
		m.y = max(0, m.y-max(1, n))
	case 'K':
		line := m.line(m.y)
		*line = (*line)[:min(m.x, len(*line))]
	case 'J':
		line := m.line(m.y)
		*line = (*line)[:min(m.x, len(*line))]
		m.cells = m.cells[:m.y+1]
	case 'm':
		m.tone = map[int]string{32: "g", 31: "r", 36: "b", 2: "f"}[n]
	}
}

// note remembers what the lines show now.
func (m *terminal) note(now time.Duration) {
	for y := range max(len(m.cells), len(m.shown)) {
		if y == len(m.shown) {
			m.shown = append(m.shown, nil)
		}
		var text []cell
		if y < len(m.cells) {
			text = append(text, m.cells[y]...)
		}
		all := m.shown[y]
		last := len(all) - 1
		switch {
		case last < 0 && len(text) == 0, last >= 0 && plain(all[last].text) == plain(text):
		case last >= 0 && now-all[last].at < m.settle && last > 0:
			all[last].text = text
		default:
			m.shown[y] = append(all, version{now, text})
		}
	}
}

func plain(text []cell) string {
	var b strings.Builder
	for _, c := range text {
		b.WriteRune(c.r)
	}
	return b.String()
}
