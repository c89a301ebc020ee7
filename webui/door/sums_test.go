package door

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// reopen is the door of the same node after a restart. It counts how many files are opened.
func (h *house) reopen(opened *int) {
	h.t.Helper()
	kept, err := OpenSums(h.db, h.clock)
	if err != nil {
		h.t.Fatal(err)
	}
	c := h.door.Config
	c.Content, c.Sums = counted{h, opened}, kept
	h.start(c)
}

// counted counts the files that are opened.
type counted struct {
	*house
	opened *int
}

func (c counted) Open(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error) {
	c.mu.Lock()
	*c.opened++
	c.mu.Unlock()
	return c.house.Open(ctx, id, file)
}

// soundZip reads an archive and compares it with the album, by content and checksum.
func soundZip(t *testing.T, b string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader([]byte(b)), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(album) {
		t.Errorf("%d files of %d", len(z.File), len(album))
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || crc32.ChecksumIEEE(got) != f.CRC32 {
			t.Errorf("%s: %d bytes, %v", f.Name, len(got), err)
		}
		r.Close()
	}
}

// After a restart an archive is as before, and for its checksums no file is read.
func TestSumsAreKept(t *testing.T) {
	h := newHouse(t, album)
	opened := 0
	h.reopen(&opened)
	all := h.link(Link{}).Path() + "/all/photos.zip"
	resp := h.ask(http.MethodGet, all)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	soundZip(t, string(b))
	etag := resp.Header.Get("ETag")

	h.reopen(&opened)
	opened = 0
	// Everything but the content: the directory at the end, and the header of the first.
	directory := fmt.Sprintf("bytes=%d-", bytes.Index(b, []byte("PK\x01\x02")))
	for _, part := range []string{"bytes=0-29", directory} {
		resp := h.ask(http.MethodGet, all, "Range", part, "If-Range", etag)
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusPartialContent || !bytes.Contains(b, got) || len(got) < 30 {
			t.Errorf("%s: %s, %d bytes, %v", part, resp.Status, len(got), err)
		}
	}
	if opened > 0 {
		t.Errorf("%d files were opened", opened)
	}
	if status, again := h.get(all); status != http.StatusOK || again != string(b) {
		t.Errorf("the archive is another one: %d, %d bytes of %d", status, len(again), len(b))
	}
	if opened > len(album) {
		t.Errorf("%d files were opened for %d", opened, len(album))
	}

	h.door.Forget(h.share.ID)
	if kept, err := h.door.Sums.load(h.share.ID); err != nil || len(kept) > 0 {
		t.Errorf("of what has ended %d sums are kept, %v", len(kept), err)
	}
}

// A record that is damaged, in whatever way, is computed again: no archive has a wrong
// checksum.
func TestDamagedSums(t *testing.T) {
	id, sums := share.ID{7}, map[int]uint32{0: 1, 1: 0xffffffff, 700: 3, 1<<31 - 1: 0}
	good := encodeSums(id, sums)
	if got, ok := decodeSums(id, good); !ok || !maps.Equal(got, sums) {
		t.Fatalf("%v, want %v", got, sums)
	}
	if got, ok := decodeSums(id, encodeSums(id, nil)); !ok || len(got) > 0 {
		t.Errorf("of nothing there is %v", got)
	}
	if _, ok := decodeSums(share.ID{8}, good); ok {
		t.Error("the record of another transfer is taken")
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if _, ok := decodeSums(id, bad); ok {
				t.Errorf("bit %d of byte %d is not noticed", bit, i)
			}
		}
		if _, ok := decodeSums(id, good[:i]); ok {
			t.Errorf("the first %d bytes are taken", i)
		}
	}
	for _, body := range []string{"\x01", "\x01\x05abc", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abcd", "\x01\xff\xff\xff\xff\x07abcd\x01abcd", "\x02\x00abcd"} {
		b := append([]byte(body), checkOf(id, []byte(body))...)
		if got, ok := decodeSums(id, b); ok && len(got) > 0 {
			t.Errorf("%q is %v", body, got)
		}
	}

	h := newHouse(t, album)
	opened := 0
	h.reopen(&opened)
	all := h.link(Link{}).Path() + "/all/photos.zip"
	_, was := h.get(all)
	h.stop()
	for _, bad := range []string{"", "\x01", "garbage of some length that is no record", string(encodeSums(share.ID{1}, map[int]uint32{0: 1, 1: 2}))} {
		if _, err := h.db.Exec(`UPDATE web_sums SET sums = ?`, []byte(bad)); err != nil {
			t.Fatal(err)
		}
		h.reopen(&opened)
		_, now := h.get(all)
		if now != was {
			t.Errorf("%q: another archive", bad)
		}
		soundZip(t, now)
		h.stop()
	}
}

// What is kept is bounded; the latest stay.
func TestSumsAreBounded(t *testing.T) {
	h := newHouse(t, album)
	kept, err := OpenSums(h.db, h.clock)
	if err != nil {
		t.Fatal(err)
	}
	many := map[int]uint32{}
	for i := range maxSums * 2 / 5 {
		many[i] = uint32(i)
	}
	for i := range 4 {
		h.later(1e9)
		if err := kept.save(share.ID{byte(i)}, many); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	if err := h.db.QueryRow(`SELECT SUM(LENGTH(sums)) FROM web_sums`).Scan(&size); err != nil || size > maxKept {
		t.Errorf("%d bytes, %v", size, err)
	}
	for i := range 4 {
		got, err := kept.load(share.ID{byte(i)})
		if stays := i >= 2; err != nil || stays != maps.Equal(got, many) {
			t.Errorf("%d has %d sums, %v", i, len(got), err)
		}
	}
}
