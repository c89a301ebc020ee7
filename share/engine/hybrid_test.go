package engine

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/merkle"
	"github.com/shoalnet/shoal/share/metainfo"
)

// hybrid makes the info dictionary of a hybrid torrent (BEP 52) of files in
// alphabetic order, with padding between them.
func hybrid(name string, names []string, data [][]byte) []byte {
	const pieceLength = 16 << 10
	var tree, list, all []byte
	for i, b := range data {
		tree = bencode.AppendString(tree, names[i])
		tree = append(tree, "d0:d6:length"...)
		tree = bencode.AppendInt(tree, int64(len(b)))
		if len(b) > 0 {
			root := rootOf(b)
			tree = append(tree, "11:pieces root"...)
			tree = bencode.AppendString(tree, root[:])
		}
		tree = append(tree, "ee"...)
		list = bencode.AppendInt(append(list, "d6:length"...), int64(len(b)))
		list = append(bencode.AppendString(append(list, "4:pathl"...), names[i]), "ee"...)
		all = append(all, b...)
		if pad := -len(all) & (pieceLength - 1); pad > 0 && i < len(data)-1 {
			list = bencode.AppendInt(append(list, "d4:attr1:p6:length"...), int64(pad))
			list = append(bencode.AppendString(append(list, "4:pathl4:.pad"...), fmt.Sprint(pad)), "ee"...)
			all = append(all, make([]byte, pad)...)
		}
	}
	var pieces []byte
	for len(all) > 0 {
		n := min(len(all), pieceLength)
		sum := sha1.Sum(all[:n])
		pieces, all = append(pieces, sum[:]...), all[n:]
	}
	b := append(append([]byte("d9:file treed"), tree...), "e5:filesl"...)
	b = append(append(b, list...), "e12:meta versioni2e4:name"...)
	b = bencode.AppendInt(append(bencode.AppendString(b, name), "12:piece length"...), pieceLength)
	b = bencode.AppendString(append(b, "6:pieces"...), pieces)
	return append(b, 'e')
}

// rootOf is the root of a file's hash tree.
func rootOf(b []byte) merkle.Hash {
	var s merkle.Sum
	s.Write(b)
	return s.Root(0)
}

// A hybrid whose two hashes of a file belong to different data stops with that as
// the reason, since no data has both.
func TestHybridThatContradictsItself(t *testing.T) {
	src := filepath.Join(t.TempDir(), "hybrid")
	makeFiles(t, src, map[string]int{"a.bin": 100_001, "d.txt": 5})
	data := [][]byte{content("a.bin", 100_001), content("d.txt", 5)}
	info := hybrid("hybrid", []string{"a.bin", "d.txt"}, data)
	right, wrong := rootOf(data[1]), rootOf([]byte("wrong"))
	info = bytes.Replace(info, right[:], wrong[:], 1)
	l := share.Link{ID: sha1Sum(info), Peers: []string{serveInfo(t, info)}}
	a := newNode(t)
	a.fetch(l.String(), filepath.Dir(src))
	a.wait(l.ID, "stopped", func(tr share.Transfer) bool {
		return tr.State == share.Stopped && tr.Code == share.Refused.Code() && strings.Contains(tr.Reason, "v1 and v2")
	})
}

// What is shared as a hybrid can be fetched, and is the same after a restart.
func TestShareHybrid(t *testing.T) {
	src := filepath.Join(t.TempDir(), "hybrid")
	makeFiles(t, src, map[string]int{"a.bin": 100_001, "b/empty": 0, "b/c.bin": 50_000, "d.txt": 5})
	a, b := newNode(t), newNode(t)
	shared, err := a.Share(t.Context(), ShareRequest{Path: src, Owner: User, ShareOptions: share.ShareOptions{Hybrid: true}})
	if err != nil {
		t.Fatal(err)
	}
	seed := a.wait(shared.ID, "seeding", func(tr share.Transfer) bool { return tr.State == share.Seeding })
	text, err := a.Torrent(seed.ID)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Parse(text)
	if err != nil || !tor.Info.Hybrid || !bytes.Contains(text, []byte("piece layers")) {
		t.Fatalf("the torrent is no whole hybrid: %v", err)
	}
	b.fetch(seed.Link, t.TempDir())
	done := b.waitState(seed.ID, share.Seeding)
	sameTree(t, src, done.Path)
	if done.Total != seed.Total || done.Total != 150_006 {
		t.Errorf("%d bytes are shared, %d were fetched", seed.Total, done.Total)
	}
}

// A hybrid is fetched and seeded as the v1 torrent that it also is: padding and
// all, with files of no bytes between others, at which other clients have crashed.
func TestHybrid(t *testing.T) {
	src := filepath.Join(t.TempDir(), "hybrid")
	sizes := map[string]int{"a.bin": 100_001, "b.empty": 0, "c.bin": 50_000, "d.txt": 5}
	makeFiles(t, src, sizes)
	names := []string{"a.bin", "b.empty", "c.bin", "d.txt"}
	var data [][]byte
	for _, n := range names {
		data = append(data, content(n, sizes[n]))
	}
	info := hybrid("hybrid", names, data)
	l := share.Link{ID: sha1Sum(info), Peers: []string{serveInfo(t, info)}}
	a, b := newNode(t), newNode(t)
	a.fetch(l.String(), filepath.Dir(src)) // finds the files there
	seed := a.waitState(l.ID, share.Seeding)
	b.fetch(seed.Link, t.TempDir())
	done := b.waitState(l.ID, share.Seeding)
	sameTree(t, src, done.Path)

	// Peers that use the v2 description ask for its hashes, also for some that do not
	// exist.
	for _, index := range []uint32{0, 1, 0xffffffff} {
		for _, root := range [][]byte{make([]byte, 32), bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)} {
			b.suffer(t, l.ID, [][]byte{message(msgHashRequest, root, u32(0, index, 2, 0))})
		}
	}

	// Who goes by the v1 description asks for padding, too.
	p := dialRaw(t, b, l.ID)
	_, _ = p.Write(message(msgInterested))
	piece := uint32(100_001 >> 14) // the last of a.bin
	for {
		kind, payload, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		if kind == msgUnchoke {
			_, _ = p.Write(message(msgRequest, u32(piece, 0, 16<<10)))
		}
		if kind != msgPiece {
			continue
		}
		tail := append(content("a.bin", 100_001)[piece<<14:], make([]byte, 16<<10)...)[:16<<10]
		if binary.BigEndian.Uint32(payload) != piece || !bytes.Equal(payload[8:], tail) {
			t.Errorf("%d bytes that differ", len(payload)-8)
		}
		return
	}
}
