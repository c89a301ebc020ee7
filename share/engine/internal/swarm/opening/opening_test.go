package opening

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The rule, written down once more in another way.
var rule = map[Kind]*regexp.Regexp{
	BitTorrent: regexp.MustCompile(`(?s)^\x13BitTorrent protocol`),
	TLS:        regexp.MustCompile(`(?s)^\x16\x03[\x00-\x04]..\x01`),
	HTTP:       regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /`),
}

// latin has each byte as a rune of its own, for regular expressions over bytes.
func latin(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

func ruled(b []byte) Kind {
	for k, r := range rule {
		if r.MatchString(latin(b)) {
			return k
		}
	}
	return Encrypted
}

// wholes are whole openings, one of each kind and method.
func wholes() []string {
	all := []string{Greeting, "\x16\x03\x01\x02\x00\x01", "\x16\x03\x03\x00\xf0\x01"}
	return append(all, methods[:]...)
}

// long is b and so many further bytes that nothing is unclear.
func long(b []byte) []byte { return append(bytes.Clone(b), make([]byte, len(Greeting))...) }

func TestEveryFirstByte(t *testing.T) {
	first := map[byte]bool{}
	for _, w := range wholes() {
		first[w[0]] = true
	}
	for c := range 256 {
		b := []byte{byte(c)}
		if got, may := Decide(b), first[byte(c)]; (got == Unclear) != may || !may && got != Encrypted {
			t.Errorf("%#02x is %d", c, got)
		}
		if got := Decide(long(b)); got != Encrypted {
			t.Errorf("%#02x and zeros are %d", c, got)
		}
	}
	if got := Decide(nil); got != Unclear {
		t.Errorf("nothing is %d", got)
	}
}

// One wrong byte anywhere, each of the 255, is not the opening any more, except where
// the rule leaves it open.
func TestEveryWrongByte(t *testing.T) {
	for _, w := range wholes() {
		if got, want := Decide([]byte(w)), ruled([]byte(w)); got != want || got == Encrypted {
			t.Errorf("%q is %d, want %d", w, got, want)
		}
		for i := range w {
			if got := Decide([]byte(w[:i])); got != Unclear {
				t.Errorf("%q is %d", w[:i], got)
			}
			for c := range 256 {
				b := []byte(w)
				b[i] = byte(c)
				if got, want := Decide(long(b)), ruled(b); got != want {
					t.Errorf("%q is %d, want %d", b, got, want)
				}
			}
		}
	}
}

// openings draws bytes that begin like some opening, or not at all.
func openings(t *rapid.T) []byte {
	w := rapid.SampledFrom(append(wholes(), "")).Draw(t, "like")
	w = w[:rapid.IntRange(0, len(w)).Draw(t, "of it")]
	return append([]byte(w), rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "then")...)
}

// slow gives one part after the other, and tells how many bytes were asked for.
type slow struct {
	parts [][]byte
	given int
}

func (s *slow) Read(b []byte) (int, error) {
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.parts[0])
	if s.parts[0] = s.parts[0][n:]; len(s.parts[0]) == 0 {
		s.parts = s.parts[1:]
	}
	s.given += n
	return n, nil
}

// However it is split, the same bytes are the same, no byte is lost, and no part is
// waited for after the one that decides.
func TestSplitAndSlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := openings(t)
		var parts [][]byte
		for left := b; len(left) > 0; {
			n := rapid.IntRange(1, len(left)).Draw(t, "part")
			parts, left = append(parts, left[:n]), left[n:]
		}
		needed, want := 0, Unclear
		for at, rest := 0, parts; len(rest) > 0 && want == Unclear; rest = rest[1:] {
			at += len(rest[0])
			needed, want = at, Decide(b[:at])
		}
		s := &slow{parts: parts}
		r := bufio.NewReaderSize(s, 64)
		got, err := Read(r)
		if got != want || (err != nil) != (want == Unclear) {
			t.Fatalf("%q is %d (%v), want %d", b, got, err, want)
		}
		if s.given != needed {
			t.Fatalf("%d bytes were read of %q, %d decide", s.given, b, needed)
		}
		read, _ := r.Peek(r.Buffered())
		all, err := io.ReadAll(Again(&readerConn{Reader: s}, bytes.Clone(read)))
		if err != nil || !bytes.Equal(all, b) {
			t.Fatalf("%q came of %q: %v", all, b, err)
		}
	})
}

// readerConn is a connection of which only the reading side is there.
type readerConn struct {
	net.Conn
	io.Reader
}

func (c *readerConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

// What is clear stays so, and follows the rule.
func TestWhatIsClearStaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { staysClear(t, openings(t)) })
}

type failer interface {
	Fatalf(format string, args ...any)
}

func staysClear(t failer, b []byte) {
	last := Unclear
	for i := range len(b) + 1 {
		k := Decide(b[:i])
		if last != Unclear && k != last {
			t.Fatalf("%q was %d, and is %d with one byte more", b[:i], last, k)
		}
		last = k
	}
	if want := ruled(b); last != Unclear && last != want {
		t.Fatalf("%q is %d, want %d", b, last, want)
	}
	if got, want := Decide(long(b)), ruled(long(b)); got != want {
		t.Fatalf("%q is %d, want %d", long(b), got, want)
	}
}

func FuzzDecide(f *testing.F) {
	for _, w := range wholes() {
		f.Add([]byte(w))
		f.Add([]byte(w[:len(w)-1]))
	}
	f.Add([]byte("PUSH /"))
	f.Add([]byte("\x16\x03\x05\x00\x10\x01"))
	f.Fuzz(func(t *testing.T, b []byte) { staysClear(t, b) })
}

// Real clients begin as the rule says.
func TestRealClients(t *testing.T) {
	begin := func(talk func(net.Conn)) Kind {
		near, far := net.Pipe()
		defer far.Close()
		go func() {
			defer near.Close()
			talk(near)
		}()
		k, err := Read(bufio.NewReader(far))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, max := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		k := begin(func(c net.Conn) { _ = tls.Client(c, &tls.Config{ServerName: "localhost", MaxVersion: max}).Handshake() })
		if k != TLS {
			t.Errorf("a client of TLS %#x is %d", max, k)
		}
	}
	for _, m := range methods {
		r, err := http.NewRequest(strings.TrimSuffix(m, " /"), "http://localhost/s/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if k := begin(func(c net.Conn) { _ = r.Write(c) }); k != HTTP {
			t.Errorf("%s is %d", m, k)
		}
	}
}

// closer is a connection that can end one side.
type closer struct {
	readerConn
	ended error
}

func (c *closer) CloseWrite() error { return c.ended }

func TestTheOneSideEnds(t *testing.T) {
	ended := errors.New("ended")
	if err := Again(&closer{ended: ended}, nil).CloseWrite(); !errors.Is(err, ended) {
		t.Errorf("the connection below was not told: %v", err)
	}
	if err := Again(&readerConn{}, nil).CloseWrite(); err != nil {
		t.Error(err)
	}
}
