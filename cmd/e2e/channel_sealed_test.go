//go:build linux

package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/shoalnet/shoal/cmd/internal/lab"
	"github.com/shoalnet/shoal/share"
)

// A box mirrors a sealed channel by its blind link and learns no name. The publisher goes
// away for good, and who has the full link gets the list and the files from the box.
//
//	alice (leaves) ─ router ─┐
//	box (blind) ──── router ─┤
//	carol (reads) ── router ─┼─ core ── router ── guide
//	dora (mirrors) ─ router ─┘
func TestABoxMirrorsASealedChannel(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	alice, box, carol, dora := at(t, net.Home("alice")), at(t, net.Home("box")), at(t, net.Home("carol")), at(t, net.Home("dora"))
	guide := at(t, net.Home("guide"))
	guide.StartCmd(guide.guided("daemon", []string{"--bootstrap", "none"}, "--listen", "[::]:7000")).Event("ready", nil)
	daemon := func(u *user) *lab.Proc {
		p := u.StartCmd(u.guided("daemon", []string{"--bootstrap", guide.At(7000)}, "--listen", "[::]:7000",
			"--channel-poll", "1s", "--downloads", filepath.Join(u.home, "downloads"), "--verbose"))
		p.Event("ready", nil)
		return p
	}

	// A folder, a file, and a share that is not sealed, which the box does not get.
	dir := t.TempDir()
	album := filepath.Join(dir, "Wedding album")
	manyFiles(t, filepath.Join(album, "Honeymoon"), 12)
	letter := filepath.Join(dir, "Letter to Grandmother.txt")
	if err := os.WriteFile(letter, []byte(strings.Repeat("Nobody else may read this sentence. ", 9000)), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := random(t, filepath.Join(dir, "Everybody may know.bin"), 50_000, 77)

	publisher := daemon(alice)
	sealing := alice.verb("share", "--sealed", album, letter)
	sealed := make([]published, 2)
	for i := range sealed {
		sealing.Event("shared", &sealed[i])
	}
	open := alice.publish(plain)
	ch := alice.channel("new", "--sealed", "Our family", "--about", "What nobody else may see")[0]
	full, blind := ch.Link, ch.BlindLink
	if !ch.Sealed || !strings.Contains(full, "&x.k=") || strings.Contains(blind, "x.k") {
		t.Fatalf("the channel is %+v", ch)
	}
	alice.channel("add", "Our family", sealed[0].ID, sealed[1].Link, open[0].ID, "--tag", "summertime")
	alice.untilChannel("Our family", "published with all three", func(c channel) bool { return c.Entries == 3 && !c.Pending && c.Seq > 0 })

	mirror := daemon(box)
	box.channel("follow", blind, "--mirror", "1GB")
	box.until("what is sealed is mirrored", func(all []transfer) bool { return inState(all, "seeding") == 3 }) // with the list
	for _, c := range box.channel("list") {
		if c.Entries != 2 || !c.Sealed || !c.Blind || c.Name != "" || c.Link != blind {
			t.Errorf("the box has %+v", c)
		}
	}
	if status := publisher.Interrupt(); status != 0 {
		t.Errorf("alice's daemon: status %d", status)
	}

	daemon(carol)
	carol.channel("follow", full)
	carol.untilChannel("Our family", "all of it is here, from the box", func(c channel) bool { return c.Entries == 3 && c.Sealed && !c.Blind })
	for query, want := range map[string]string{"honeymoon tag:summertime": album, "grandmother": letter} {
		hits := carol.search(query)
		if len(hits) != 1 || hits[0].Name != filepath.Base(want) {
			t.Fatalf("carol finds for %s %+v", query, hits)
		}
		got := arrived(t, carol.StartCmd(carol.bare("get", "--json", "--state", carol.state, "--output", t.TempDir(), hits[0].ID[:8])))
		identical(t, want, got.Path)
	}

	// Who mirrors with the full link gets files, not blobs.
	daemon(dora)
	dora.channel("follow", full, "--mirror", "1GB")
	dora.untilChannel("Our family", "all of it is here", func(c channel) bool { return c.Entries == 3 })
	dora.until("both are mirrored", func(all []transfer) bool { return inState(all, "seeding") == 3 })
	folder, err := filepath.Glob(filepath.Join(dora.home, "downloads", "Our family *"))
	if err != nil || len(folder) != 1 {
		t.Fatalf("dora mirrors into %q, %v", folder, err)
	}
	for _, path := range []string{album, letter} {
		identical(t, path, filepath.Join(folder[0], filepath.Base(path)))
	}

	// The box, byte by byte: what it keeps, and what it says.
	words := []string{"Our family", "nobody else", "Nobody else", "Wedding", "album", "Honeymoon", "film 07", "Grandmother", "Everybody", "summertime", open[0].ID}
	words = append(words, secretsIn(t, full)...)
	for _, s := range sealed {
		words = append(words, secretsIn(t, s.Link)...)
	}
	for what, b := range map[string]string{"stdout": mirror.Stdout(), "stderr": mirror.Stderr(), "list": box.verb("list").Stdout(), "search": box.verb("search", "channel:"+ch.Key).Stdout()} {
		if word := told([]byte(b), words); word != "" {
			t.Errorf("the box says %q in its %s", word, what)
		}
	}
	if status := mirror.Interrupt(); status != 0 {
		t.Errorf("the box's daemon: status %d", status)
	}
	files := 0
	err = filepath.WalkDir(box.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if word := told(append([]byte(path), b...), words); word != "" {
			t.Errorf("%s has %q", path, word)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files were searched, %v", files, err)
	}
	// The same search finds what is there.
	b, err := os.ReadFile(filepath.Join(carol.state, "index.db-wal"))
	if more, err2 := os.ReadFile(filepath.Join(carol.state, "index.db")); err == nil && err2 == nil {
		b = append(b, more...)
	}
	if told(b, []string{"Wedding"}) == "" {
		t.Errorf("the search finds nothing at carol's, either: %v", err)
	}

	// With the full link, the box reads what it has.
	daemon(box)
	box.channel("follow", full)
	box.untilChannel("Our family", "it can be read", func(c channel) bool { return c.Entries == 3 && !c.Blind && c.Link == full })
	if hits := box.search("honeymoon"); len(hits) != 1 || hits[0].ID != sealed[0].ID {
		t.Errorf("with the full link the box finds %+v", hits)
	}
	got := arrived(t, box.StartCmd(box.bare("get", "--json", "--state", box.state, "--output", t.TempDir(), sealed[0].ID[:8])))
	identical(t, album, got.Path)
}

// secretsIn returns the secret of a link as digits and as bytes.
func secretsIn(t testing.TB, link string) []string {
	t.Helper()
	_, digits, ok := strings.Cut(link, "x.k=")
	if !ok || len(digits) < 2*share.SecretSize {
		t.Fatal("a link has no secret")
	}
	digits = digits[:2*share.SecretSize]
	raw, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal("the secret of a link is damaged")
	}
	return []string{digits, strings.ToUpper(digits), string(raw)}
}

// told returns the first of the words that b has, in UTF-8 or UTF-16 of either order.
func told(b []byte, words []string) string {
	for _, w := range words {
		var little, big []byte
		for _, u := range utf16.Encode([]rune(w)) {
			little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
		}
		for _, form := range [][]byte{[]byte(w), little, big} {
			if bytes.Contains(b, form) {
				return w
			}
		}
	}
	return ""
}
