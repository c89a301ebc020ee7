package swarm

import (
	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
	"github.com/shoalnet/shoal/share/metainfo"
)

// Describe is what an info dictionary says of the content. layers are the piece
// layers of content that BEP 52 describes.
func Describe(info *metainfo.Info, layers *metainfo.Layers) Content {
	c := Content{ID: ID(info.ID), Info: info.Bytes(), Private: info.Private, Layout: layoutOf(info)}
	if info.HasV1() {
		c.Hashes = make([][20]byte, info.NumPieces)
		for i := range c.Hashes {
			c.Hashes[i] = info.PieceHash(i)
		}
	}
	if info.HasV2() {
		c.V2 = &V2{
			ID: ID(info.V2[:len(ID{})]), Files: filesOf(info), Layers: layers,
			Piece: func(i int) (merkle.Hash, int, bool) { return info.PieceRoot(i, layers) },
			Data:  func(i int) int { return int(info.DataSize(i)) },
		}
	}
	return c
}

func layoutOf(info *metainfo.Info) wire.Layout {
	if info.HasV1() {
		return wire.NewLayout(info.Total, int(info.PieceLength))
	}
	last := info.NumPieces - 1
	l := wire.Layout{Pieces: info.NumPieces, PieceLength: int(info.PieceLength), Last: int(info.WireSize(last)), Short: make(map[int]int)}
	for _, f := range filesOf(info) {
		end := f.First + f.Pieces - 1
		if n := info.WireSize(end); end != last && n < info.PieceLength {
			l.Short[end] = int(n)
		}
	}
	return l
}

// filesOf are the files that have a hash tree.
func filesOf(info *metainfo.Info) (files []core.File) {
	for i := range info.Files {
		f := &info.Files[i]
		if f.Pad || f.Length == 0 {
			continue
		}
		files = append(files, core.File{
			Root: f.Root, First: int(f.Offset / info.PieceLength),
			Pieces: int((f.Length + info.PieceLength - 1) / info.PieceLength), Blocks: merkle.Blocks(f.Length),
		})
	}
	return files
}
