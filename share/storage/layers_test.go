package storage

import (
	"bytes"
	"crypto/sha1"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// fromLibtorrent reads what libtorrent made, see metainfo/testdata/made, and makes
// its content.
func fromLibtorrent(t *testing.T, name string) (*metainfo.Torrent, []byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../metainfo/testdata/made", name+".torrent"))
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	seeds := map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 1, "sub/f": 6, "sub/g": 7}
	all := make([]byte, tor.Info.Total)
	for _, f := range tor.Info.Files {
		for i := range int(f.Length) {
			if !f.Pad {
				all[int(f.Offset)+i] = byte(i*i>>5 + seeds[strings.Join(f.Path, "/")])
			}
		}
	}
	return tor, all
}

// What libtorrent made for BEP 52 alone, or as a hybrid, is stored, verified and
// taken up again. Its padding is never on disk.
func TestOfLibtorrent(t *testing.T) {
	for _, name := range []string{"v2", "hybrid"} {
		t.Run(name, func(t *testing.T) {
			tor, all := fromLibtorrent(t, name)
			in := tor.Info
			b := newBench(t)
			spec := Spec{Info: in, Layers: tor.Layers, Dir: b.dir}
			tr := b.openSpec(spec)
			// As peers send it: without padding.
			for i := range in.NumPieces {
				off := int64(i) * in.PieceLength
				p := slices.Clone(all[off : off+in.WireSize(i)])
				p[0] ^= 1
				if _, err := tr.WriteAt(p, off); err != nil {
					t.Fatal(err)
				}
				if good, err := tr.HashPiece(t.Context(), i); good || err != nil {
					t.Fatalf("piece %d with a wrong byte: %v, %v", i, good, err)
				}
				put(t, tr, all, i)
				got := make([]byte, in.PieceSize(i))
				if _, err := tr.ReadAt(got, off); err != nil || !bytes.Equal(got, all[off:off+int64(len(got))]) {
					t.Fatalf("piece %d is read as another: %v", i, err)
				}
			}
			flush(t, tr)
			wantTree(t, b.dir, "libtorrent/", "libtorrent/a", "libtorrent/b", "libtorrent/c", "libtorrent/d", "libtorrent/e", "libtorrent/sub/", "libtorrent/sub/f", "libtorrent/sub/g")
			b.crash()
			tr = b.openSpec(spec)
			if p := tr.Progress(); p.Pieces != in.NumPieces || p.Unknown > 0 || p.Bytes != in.Size() {
				t.Fatalf("taken up again: %+v", p)
			}
			writeFile(t, filepath.Join(b.dir, "libtorrent", "d"), bytes.Repeat([]byte("x"), 70_000))
			if err := tr.Recheck(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkUnknown(t, tr)
			flush(t, tr)
			if p := tr.Progress(); p.Pieces != in.NumPieces-3 || p.Unknown > 0 {
				t.Errorf("with one file changed: %+v", p)
			}
			if kept := remove(t, tr, true); len(kept) != 1 || filepath.Base(kept[0].Path) != "d" {
				t.Errorf("kept %v", kept)
			}
			wantTree(t, b.dir, "libtorrent/", "libtorrent/d")
		})
	}
}

// What cannot be judged before its layer comes is neither right nor wrong, also for
// the next process; then it is hashed.
func TestLayersThatComeLate(t *testing.T) {
	tor, all := fromLibtorrent(t, "v2")
	in := tor.Info
	b := newBench(t)
	spec := Spec{Info: in, Layers: metainfo.NewLayers(in), Dir: b.dir}
	tr := b.openSpec(spec)
	var unknown []int
	for i := range in.NumPieces {
		if _, _, known := in.PieceRoot(i, spec.Layers); known {
			put(t, tr, all, i)
			continue
		}
		unknown = append(unknown, i)
		if err := tryPut(tr, all, i); err == nil || completion(tr, i) != "unknown" {
			t.Errorf("piece %d is %s: %v", i, completion(tr, i), err)
		}
	}
	if len(unknown) != 7 {
		t.Fatalf("%v are unknown", unknown)
	}
	flush(t, tr)
	b.crash()
	tr = b.openSpec(spec)
	checkUnknown(t, tr)
	for _, i := range unknown {
		if completion(tr, i) != "unknown" || tr.Durable(i) {
			t.Errorf("piece %d is %s, durable %v", i, completion(tr, i), tr.Durable(i))
		}
	}
	tr.takeEvent()
	for _, root := range append(spec.Layers.Missing(), in.Files[0].Root) {
		tr.Layered()
		want := 0
		for _, i := range unknown {
			if _, _, known := in.PieceRoot(i, spec.Layers); known && completion(tr, i) == "unknown" {
				want++
			}
		}
		got := 0
		e, _ := tr.takeEvent()
		for _, s := range e.Verify {
			got += s.To - s.From
		}
		if got != want {
			t.Errorf("%d pieces are to be hashed, want %d", got, want)
		}
		checkUnknown(t, tr)
		if n := tr.Progress().Unknown; n != len(unknown)-known(in, spec.Layers, unknown) {
			t.Errorf("%d pieces are unknown", n)
		}
		if err := spec.Layers.Set(root, tor.Layers.Layer(root)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != in.NumPieces {
		t.Errorf("at the end %+v", p)
	}
}

// known counts those pieces whose v2 hash is known.
func known(in *metainfo.Info, l *metainfo.Layers, pieces []int) (n int) {
	for _, i := range pieces {
		if _, _, ok := in.PieceRoot(i, l); ok {
			n++
		}
	}
	return n
}

// A hybrid whose two hashes of a piece belong to different data has no right data,
// and says so.
func TestHashesThatDiffer(t *testing.T) {
	tor, all := fromLibtorrent(t, "hybrid")
	right := sha1.Sum(all[:tor.Info.PieceLength])
	other := slices.Clone(all)
	other[7] ^= 1
	wrong := sha1.Sum(other[:tor.Info.PieceLength])
	in, err := metainfo.ParseInfo(bytes.Replace(tor.Info.Bytes(), right[:], wrong[:], 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{all, other} {
		b := newBench(t)
		tr := b.openSpec(Spec{Info: in, Layers: tor.Layers, Dir: b.dir})
		put(t, tr, all, 1)
		if err := tryPut(tr, data, 0); share.KindOf(err) != share.Refused || !strings.Contains(err.Error(), "v1 and v2") {
			t.Errorf("got %v", err)
		}
		if completion(tr, 0) != "missing" {
			t.Errorf("piece 0 is %s", completion(tr, 0))
		}
		flush(t, tr)
		if p := tr.Progress(); p.Pieces != 1 {
			t.Errorf("got %+v", p)
		}
	}
}
