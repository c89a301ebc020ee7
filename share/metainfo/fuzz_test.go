package metainfo

import (
	"testing"

	"github.com/shoalnet/shoal/share"
)

func FuzzParse(f *testing.F) {
	for _, d := range []dict{
		{"info": single(nil)},
		{"announce": "udp://a.example", "announce-list": list{list{"http://b.example"}}, "comment": "c", "creation date": 1,
			"info": multi(file(5, "a"), file(0, "b", "..", "c")), "nodes": list{list{"a.example", 1}}, "url-list": list{"http://w.example"}},
		{"info": hybrid(nil), "piece layers": dict{}},
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
		checkEngineAgrees(t, torrent.Info)
		checkEncode(t, torrent)
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add(enc(single(nil)))
	f.Add(enc(single(dict{"attr": "x", "name.utf-8": "ü", "private": 1, "source": "s"})))
	f.Add(enc(multi(file(5, "a"), pad(16379), with(file(0, "b"), dict{"attr": "l", "symlink path": path("a"), "path.utf-8": path("b")}))))
	f.Add(enc(hybrid(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := ParseInfo(b)
		if err != nil {
			if share.KindOf(err) != share.Refused {
				t.Errorf("%v is not Refused", err)
			}
			return
		}
		checkSound(t, info)
		checkEngineAgrees(t, info)
	})
}
