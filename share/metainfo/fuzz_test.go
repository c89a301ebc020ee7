package metainfo

import (
	"bytes"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
)

func FuzzParse(f *testing.F) {
	for _, d := range []dict{
		{"info": single(nil)},
		{"announce": "udp://a.example", "announce-list": list{list{"http://b.example"}}, "comment": "c", "creation date": 1,
			"info": multi(file(5, "a"), file(0, "b", "..", "c")), "nodes": list{list{"a.example", 1}}, "url-list": list{"http://w.example"}},
		{"info": hybrid(nil), "piece layers": dict{}},
		{"info": v2(nil), "piece layers": dict{}},
	} {
		f.Add(enc(d))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		torrent, err := Parse(b)
		if err != nil {
			if share.KindOf(err) != share.Refused {
				t.Errorf("%v is not Refused", err)
			}
			return
		}
		checkSound(t, torrent.Info)
		checkEncode(t, torrent)
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add(enc(single(nil)))
	f.Add(enc(single(dict{"attr": "x", "name.utf-8": "ü", "private": 1, "source": "s"})))
	f.Add(enc(multi(file(5, "a"), pad(16379), with(file(0, "b"), dict{"attr": "l", "symlink path": path("a"), "path.utf-8": path("b")}))))
	f.Add(enc(hybrid(nil)))
	f.Add(enc(v2(nil)))
	f.Add(enc(v2(dict{"file tree": dict{"only": leafOf(5, 'r')}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := ParseInfo(b)
		if err != nil {
			if share.KindOf(err) != share.Refused {
				t.Errorf("%v is not Refused", err)
			}
			return
		}
		checkSound(t, info)
	})
}

// Whatever a torrent has for piece layers: what is taken hashes to a root.
func FuzzLayers(f *testing.F) {
	tor := fromLibtorrent(f, "v2")
	var b bytes.Buffer
	tor.Layers.encode(&b)
	f.Add(b.Bytes())
	f.Add(enc(dict{}))
	f.Add(enc(dict{string(tor.Info.Files[0].Root[:]): "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := NewLayers(tor.Info)
		_ = l.read(b)
		for root, layer := range l.known {
			if i, ok := l.File(root); !ok || merkle.Root(layer, 1) != root || int64(len(layer)) != piecesOf(tor.Info.Files[i].Length, tor.Info.PieceLength) {
				t.Errorf("a layer of %d hashes is taken for %x", len(layer), root)
			}
		}
	})
}
