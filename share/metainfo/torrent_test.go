package metainfo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shoalnet/shoal/share"
)

func TestParse(t *testing.T) {
	got, err := Parse(enc(dict{
		"announce": "http://a.example/announce",
		"announce-list": list{
			list{"\t udp://b.example:80/announce\n", "http://a.example/announce"},
			list{},
			list{"wss://c.example", "no url", 5, "http://", "http://a.example/announce", "http://d.example/a b"},
			"https://e.example/ü",
			7,
		},
		"comment":       "fish\xff",
		"created by":    "me",
		"creation date": 1234567,
		"info":          multi(file(5, "a")),
		"nodes":         list{list{"2001:db8::1", 6881}, list{"node.example", 1}, list{"bad host", 1}, list{"x", 0}, list{"x", 65536}, list{"x"}, list{}, 5, list{"node.example", 1}},
		"url-list":      list{"http://w.example/my files", "http://w.example/my files/", "", "ftp://w.example", list{""}, 5, "http://w.example/a\x01b"},
		"unknown":       dict{"z": list{1, "x"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := &Torrent{
		Trackers: [][]string{
			{"udp://b.example:80/announce", "http://a.example/announce"},
			{"http://d.example/a%20b"},
			{"https://e.example/%C3%BC"},
		},
		WebSeeds:  []string{"http://w.example/my%20files/"},
		Nodes:     []string{"[2001:db8::1]:6881", "node.example:1"},
		Created:   time.Unix(1234567, 0).UTC(),
		Comment:   "fish\ufffd",
		CreatedBy: "me",
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Torrent{}), cmpopts.IgnoreFields(Torrent{}, "Info")); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	checkEncode(t, got)
}

// What only helps to find peers, and is not what it should be, is left out.
func TestParseForgivesWhatDoesNotMatter(t *testing.T) {
	for _, bad := range []any{5, -5, "x", list{5}, dict{"a": 1}, list{list{list{}}}} {
		d := dict{"info": single(nil)}
		for _, k := range []string{"announce", "announce-list", "comment", "created by", "creation date", "nodes", "url-list", "piece layers"} {
			d[k] = bad
		}
		got, err := Parse(enc(d))
		if err != nil {
			t.Errorf("%v: %v", bad, err)
			continue
		}
		if got.Trackers != nil || len(got.WebSeeds) > 0 || got.Nodes != nil {
			t.Errorf("%v: got %+v", bad, got)
		}
		checkEncode(t, got)
	}
}

func TestParseOneTracker(t *testing.T) {
	got, err := Parse(enc(dict{"announce": " udp://a.example ", "announce-list": list{list{"x"}}, "info": single(nil), "url-list": "http://w.example/a.txt"}))
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(got.Trackers, [][]string{{"udp://a.example"}}) || !cmp.Equal(got.WebSeeds, []string{"http://w.example/a.txt"}) {
		t.Errorf("got %v and %v", got.Trackers, got.WebSeeds)
	}
	checkEncode(t, got)
}

func TestParseKeepsTheListsShort(t *testing.T) {
	var trackers, seeds, nodes list
	for i := range 5000 {
		trackers = append(trackers, list{fmt.Sprintf("udp://%d.example", i)})
		seeds = append(seeds, fmt.Sprintf("http://%d.example", i))
		nodes = append(nodes, list{fmt.Sprintf("%d.example", i), 1})
	}
	got, err := Parse(enc(dict{"announce-list": trackers, "info": single(nil), "nodes": nodes, "url-list": seeds,
		"comment": strings.Repeat("é", maxTextBytes)}))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Trackers) != maxTrackers || len(got.WebSeeds) != maxWebSeeds || len(got.Nodes) != maxNodes || len(got.Comment) != maxTextBytes {
		t.Errorf("got %d trackers, %d web seeds, %d nodes, %d bytes of comment", len(got.Trackers), len(got.WebSeeds), len(got.Nodes), len(got.Comment))
	}
}

func TestRefusedTorrent(t *testing.T) {
	info := string(enc(single(nil)))
	for name, b := range map[string]string{
		"nothing":          "",
		"a page":           "<!doctype html>",
		"no info":          "de",
		"info is a string": "d4:info1:ae",
		"info twice":       "d4:info" + info + "4:info" + info + "e",
		"layers twice":     "d4:info" + info + "12:piece layersde12:piece layersdee",
		"something after":  "d4:info" + info + "ede",
		"cut":              "d4:info" + info,
		"deep":             "d1:a" + strings.Repeat("l", 100) + strings.Repeat("e", 100) + "4:info" + info + "e",
		"broken elsewhere": "d4:info" + info + "1:zi01ee",
	} {
		if _, err := Parse([]byte(b)); share.KindOf(err) != share.Refused {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Parse([]byte("d4:info" + info + "e\r\n")); err != nil {
		t.Errorf("a line end after the torrent: %v", err)
	}
}
