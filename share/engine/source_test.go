package engine

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

func readSource(n *node, id share.ID, name string) ([]byte, error) {
	r, size, err := n.OpenSource(n.t.Context(), id, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && int64(len(b)) != size {
		n.t.Errorf("%q has %d bytes, not %d", name, len(b), size)
	}
	return b, err
}

// Web seeds have each file by the name in the torrent, and of a sealed share what peers
// get.
func TestSources(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	dir := someFiles(t)
	shared := n.share(dir)
	files, err := n.Files(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(dir, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readSource(n, shared.ID, shared.Name+"/"+f.Path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", f.Path, len(got), len(want), err)
		}
	}
	for _, name := range []string{"", shared.Name, shared.Name + "/", files[0].Path, shared.Name + "/../" + files[0].Path, "/" + shared.Name + "/" + files[0].Path} {
		if _, err := readSource(n, shared.ID, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}

	sealed := n.shareWith(someFiles(t), func(r *ShareRequest) { r.Sealed = true })
	b, err := n.Torrent(sealed.ID)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := readSource(n, sealed.ID, tor.Info.Name)
	if err != nil || int64(len(blob)) != tor.Info.Total {
		t.Fatalf("%d of %d bytes of the blob: %v", len(blob), tor.Info.Total, err)
	}
	for i := range tor.Info.NumPieces {
		at := int64(i) * tor.Info.PieceLength
		if sha1.Sum(blob[at:at+tor.Info.PieceSize(i)]) != tor.Info.PieceHash(i) {
			t.Errorf("piece %d is not what peers get", i)
		}
	}
	for _, f := range []string{"a.bin", "a", sealed.Name} {
		if _, err := readSource(n, sealed.ID, f); f != tor.Info.Name && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q of a sealed share: %v", f, err)
		}
	}
}

// The names are the torrent's, however odd, and not those on the disk.
func TestSourceNames(t *testing.T) {
	const pieces = "6:pieces20:aaaaaaaaaaaaaaaaaaaa"
	for info, want := range map[string]sourceNames{
		"d6:lengthi5e4:name3:a/b12:piece lengthi16384e" + pieces + "e": {"a/b": 0},
		"d5:filesl" +
			"d6:lengthi30e4:pathl2:..3:b cee" +
			"d4:attr1:p6:lengthi10e4:pathl4:.pad2:10ee" +
			"d6:lengthi1e4:pathl3:CONee" +
			"d6:lengthi1e4:pathl3:CONee" +
			"e4:name4:my ?12:piece lengthi16384e" + pieces + "e": {"my ?/../b c": 0, "my ?/.pad/10": 1, "my ?/CON": 2},
	} {
		in, err := metainfo.ParseInfo([]byte(info))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readSourceNames(in); err != nil || !maps.Equal(got, want) {
			t.Errorf("%v, want %v: %v", got, want, err)
		}
	}
}

// Links and .torrent files have the web seeds that there are now, of this transfer and of
// none before it.
func TestLinksHaveWebSeeds(t *testing.T) {
	t.Parallel()
	var seeds []string
	var of time.Time
	n := newNode(t, func(c *Config) {
		c.WebSeeds = func(_ share.ID, added time.Time) []string {
			if !added.Equal(of) {
				return nil
			}
			return seeds
		}
	})
	folder := someFiles(t)
	shared := n.share(folder)
	one := []string{"http://[2001:db8::5]:7000/w/x/"}
	check := func(want []string) {
		t.Helper()
		now, err := n.Get(shared.ID)
		if err != nil {
			t.Fatal(err)
		}
		l, err := share.ParseLink(now.Link)
		if err != nil || len(l.WebSeeds) != len(want) || len(want) > 0 && l.WebSeeds[0] != want[0] {
			t.Errorf("%s: want %v", now.Link, want)
		}
		b, err := n.Torrent(shared.ID)
		if err != nil {
			t.Fatal(err)
		}
		if tor, err := metainfo.Parse(b); err != nil || len(tor.WebSeeds) != len(want) {
			t.Errorf("the .torrent file has %v, want %v", tor.WebSeeds, want)
		}
	}
	for _, want := range [][]string{nil, one, nil, one} {
		n.box.call(func() { seeds, of = want, shared.Added })
		if err := n.LinkChanged(shared.ID); err != nil {
			t.Fatal(err)
		}
		check(want)
	}
	if _, err := n.Remove(shared.ID, false); err != nil {
		t.Fatal(err)
	}
	n.share(folder)
	check(nil)
}

// Subscribers hear of a share under its real ID first with the event that says which
// provisional one it had; otherwise they would see it twice.
func TestASharesIDIsToldBeforeAllElse(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	sub := n.Subscribe(1000)
	defer sub.Close()
	known := map[share.ID]bool{}
	for i := range 10 {
		file := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(file, []byte{byte(i)}, 0o600); err != nil {
			t.Fatal(err)
		}
		was, err := n.Share(t.Context(), ShareRequest{Path: file})
		if err != nil {
			t.Fatal(err)
		}
		known[was.ID] = true
		for told := false; !told; {
			ev := <-sub.C
			told = ev.Type == share.EventShared && ev.Was == was.ID
			if told {
				known[ev.ID] = true
			}
			if ev.Transfer != nil && !known[ev.ID] {
				t.Errorf("%s of %s came before its ID", ev.Type, ev.ID)
			}
		}
	}
}
