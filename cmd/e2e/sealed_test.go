//go:build linux

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// What the files of keepers are called and have in them, and nothing else has.
var keepers = []string{
	"Ledger of the lighthouse", "north tower accounts.txt", "sealed orders", "orders of the third watch.bin",
	"cupboard with nothing in it", "a page left blank.dat", "the lamp was lit at dusk by nobody",
}

// keepersFolder makes a folder with empty files and folders, modes, times, and the same
// sentence all over it.
func keepersFolder(t testing.TB) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), keepers[0])
	for _, dir := range []string{keepers[2], keepers[4]} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sentence := keepers[6] + "\n"
	for name, data := range map[string]string{
		keepers[1]: strings.Repeat(sentence, 40_000), filepath.Join(keepers[2], keepers[3]): strings.Repeat(sentence, 7), keepers[5]: "",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, keepers[1]), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, keepers[2], keepers[3]), 0o755); err != nil {
		t.Fatal(err)
	}
	// Folders last: what is made in them changes their times.
	for i, name := range []string{keepers[1], filepath.Join(keepers[2], keepers[3]), keepers[5], keepers[2], keepers[4], "."} {
		when := time.Date(1999-i, 12, 31, 23, 59, 58, 123_456_789, time.UTC)
		if err := os.Chtimes(filepath.Join(root, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, keepers[4]), 0o750); err != nil {
		t.Fatal(err)
	}
	return root
}

// getLink starts fetching a link that is given on standard input.
func (u *user) getLink(link, into string, flags ...string) *lab.Proc {
	u.t.Helper()
	cmd := u.command("get", append(flags, "--output", into, "-")...)
	cmd.Stdin = strings.NewReader(link + "\n")
	return u.StartCmd(cmd)
}

// fullLink is a link with the key of a sealed share, and these addresses alone.
func fullLink(share *published, peers ...string) string {
	link := lab.Magnet(share.ID)
	for _, p := range peers {
		link = withPeer(link, p)
	}
	_, key, _ := strings.Cut(share.Link, "&x.k=")
	return link + "&x.k=" + key
}

// Other clients seed a sealed share without its key. The sharer goes away, and who has
// the key fetches it from each of them alone.
//
//	tracker ──┐
//	alice ────┤                     ┌── libtorrent, or
//	          ├── core ── routers ──┼── aria2, or
//	box ──────┤                     └── transmission
//	bob ──────┘
func TestOthersSeedWhatTheyCannotRead(t *testing.T) {
	for _, c := range clients[:3] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			alice, box, bob := at(t, net.Home("alice")), at(t, net.Home("box")), at(t, net.Home("bob"))
			folder := keepersFolder(t)
			was := snapshot(t, folder)
			share := alice.Share(folder, "--listen", "[::]:7000", "--sealed")
			tracker.Announce(share.ID, alice.At(7000))

			// get does not seed: it tells what the whole blob is.
			blob := arrived(t, box.getLink(share.Blind, t.TempDir())).Path
			source := withTracker(share.Blind, tracker)
			if c.name == "transmission" {
				source = trackedCopy(t, alice.torrentFile(share.ID), tracker)
			}
			other, dir := net.Home(c.name), t.TempDir()
			c.start(other, dir, lab.Plain, source)
			settles(t, blob, filepath.Join(dir, filepath.Base(blob)))
			share.Interrupt()
			unchanged(t, was, folder)

			get := bob.getLink(fullLink(share, other.At(c.port)), t.TempDir()).Within(patience)
			if diff := cmp.Diff(was, snapshot(t, arrived(t, get).Path)); diff != "" {
				t.Errorf("not as shared (-shared +fetched):\n%.4000s", diff)
			}
		})
	}
}

// A box that is given the key later opens what it has: nobody else has the share then.
//
//	alice ── router ── core ── router ── box
func TestABoxIsGivenTheKeyLater(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	alice, box := at(t, net.Home("alice")), at(t, net.Home("box"))
	folder, into := keepersFolder(t), t.TempDir()
	was := snapshot(t, folder)
	share := alice.Share(folder, "--listen", "[::]:7000", "--sealed")
	blob := arrived(t, box.getLink(share.Blind, into)).Path
	share.Interrupt()
	if diff := cmp.Diff(was, snapshot(t, arrived(t, box.getLink(fullLink(share), into)).Path)); diff != "" {
		t.Errorf("not as shared (-shared +opened):\n%.4000s", diff)
	}
	if _, err := os.Lstat(blob); !os.IsNotExist(err) {
		t.Errorf("the blob is still there: %v", err)
	}
}

// needles are forms in which a text could be somewhere: as it is, and as UTF-16.
func needles(text string) map[string][]byte {
	forms := map[string][]byte{"": []byte(text)}
	little, _ := binary.Append(nil, binary.LittleEndian, utf16.Encode([]rune(text)))
	big, _ := binary.Append(nil, binary.BigEndian, utf16.Encode([]rune(text)))
	forms[" as UTF-16LE"], forms[" as UTF-16BE"] = little, big
	return forms
}

// findings are what data has of the names and the content of keepersFolder, and of a key.
func findings(t testing.TB, data []byte, key string) (found []string) {
	t.Helper()
	raw, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(keepers, key, strings.ToUpper(key), base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw)) {
		for form, bytesOf := range needles(text) {
			if bytes.Contains(data, bytesOf) {
				found = append(found, text+form)
			}
		}
	}
	if bytes.Contains(data, raw) {
		found = append(found, "the key")
	}
	return found
}

// everything is the names and the bytes of all files below a folder.
func everything(t testing.TB, root string) (all []byte) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		all = append(append(all, path...), '\n')
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A box that seeds a sealed share without its key has nothing of its names, its content
// or its key: not on its disk, not in its log, and not on the wire of anybody, where
// libtorrent fetches from it without encryption. Who has the key finds the box in the DHT
// when the sharer is gone. Of a plain share, the same search finds what it looks for.
//
//	guide, carol ── routers ──┐
//	alice ─────────────────── core ── routers ── box, bob, watcher
func TestABlindBoxLearnsNothing(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	guide, alice, box, bob, carol := at(t, net.Home("guide")), at(t, net.Home("alice")), at(t, net.Home("box")), at(t, net.Home("bob")), at(t, net.Home("carol"))
	watcher := net.Home("watcher")
	wires := map[string]*lab.Capture{}
	for name, h := range map[string]*lab.Host{"alice": alice.Host, "the box": box.Host, "bob": bob.Host, "the guide": guide.Host, "the watcher": watcher} {
		wires[name] = h.Capture()
	}
	guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
	knows := []string{"--no-lan", "--bootstrap", guide.At(7000)}
	folder := keepersFolder(t)
	was := snapshot(t, folder)

	share := &published{Proc: alice.StartCmd(alice.guided("share", knows, "--sealed", "--no-addresses", folder))}
	share.Event("shared", share)
	_, key, ok := strings.Cut(share.Link, "x.k=")
	if !ok || share.Blind == "" || strings.Contains(share.Blind, "x.k=") {
		t.Fatalf("the links are %q and %q", share.Link, share.Blind)
	}
	torrent, err := os.ReadFile(alice.torrentFile(share.ID))
	if err != nil {
		t.Fatal(err)
	}

	daemon := box.StartCmd(box.guided("daemon", knows, "--listen", "[::]:7000", "--verbose"))
	daemon.Event("ready", nil)
	held := t.TempDir()
	cmd := box.bare("get", "--json", "--state", box.state, "--output", held, "--seed", "forever", "-")
	cmd.Stdin = strings.NewReader(share.Blind)
	get := box.StartCmd(cmd).Within(patience)
	blob := arrived(t, get).Path
	share.Interrupt()

	seen := t.TempDir()
	watcher.Libtorrent("get", withPeer(share.Blind, box.At(7000)), seen, "--crypto", string(lab.Plain))
	settles(t, blob, filepath.Join(seen, filepath.Base(blob)))
	cmd = bob.guided("get", knows, "--output", t.TempDir(), "-")
	cmd.Stdin = strings.NewReader(fullLink(share))
	if diff := cmp.Diff(was, snapshot(t, arrived(t, bob.StartCmd(cmd).Within(patience)).Path)); diff != "" {
		t.Errorf("not as shared (-shared +fetched):\n%.4000s", diff)
	}

	places := map[string][]byte{
		"the torrent": torrent, "the blind link": []byte(share.Blind), "the box's state": everything(t, box.state), "the box's folder": everything(t, held),
		"the box's log": []byte(daemon.Stdout() + daemon.Stderr()), "what get says": []byte(get.Stdout() + get.Stderr()),
	}
	for name, wire := range wires {
		places["the wire of "+name] = wire.Bytes()
	}
	for place, data := range places {
		if len(data) == 0 {
			t.Errorf("%s is empty: nothing was searched", place)
		}
		for _, f := range findings(t, data, key) {
			t.Errorf("%s has %q", place, f)
		}
	}

	// The search finds what is there.
	wire := carol.Capture()
	plain := &published{Proc: carol.StartCmd(carol.command("share", "--listen", "[::]:7000", folder))}
	plain.Event("shared", plain)
	into := t.TempDir()
	watcher.Libtorrent("get", plain.Link, into, "--crypto", string(lab.Plain))
	settles(t, filepath.Join(folder, keepers[1]), filepath.Join(into, keepers[0], keepers[1])) // a torrent has no empty folders
	for place, data := range map[string][]byte{"carol's wire": wire.Bytes(), "carol's state": everything(t, carol.state)} {
		got := strings.Join(findings(t, data, key), "\n")
		for _, text := range keepers[:2] {
			if !strings.Contains(got, text) {
				t.Errorf("the search of %s did not find %q, only\n%s", place, text, got)
			}
		}
		if place == "carol's wire" && !strings.Contains(got, keepers[6]) {
			t.Errorf("the search of %s did not find the content", place)
		}
	}
}
