package core

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestPacketsAsBEP29DrawsThem(t *testing.T) {
	for name, c := range map[string]struct {
		hex string
		p   packet
	}{
		"syn": {"4100abcd0102030400000000000fffff00010000",
			packet{kind: kindSyn, id: 0xabcd, timestamp: 0x01020304, window: 0xfffff, seq: 1}},
		"selective acknowledgement": {"2101abce00000001000000020000000300040005" + "000401000080",
			packet{kind: kindState, id: 0xabce, timestamp: 1, difference: 2, window: 3, seq: 4, ack: 5,
				selective: []byte{1, 0, 0, 0x80}}},
		"selective acknowledgement of libtorrent": {"2101abce00000001000000020000000300040005" + "000103",
			packet{kind: kindState, id: 0xabce, timestamp: 1, difference: 2, window: 3, seq: 4, ack: 5, selective: []byte{3}}},
		"data": {"0100000100000000000000000000000000020001" + "6869",
			packet{kind: kindData, id: 1, seq: 2, ack: 1, payload: []byte("hi")}},
		"padded data": {"0170000100000000000000000000000000020001" + "0003000000" + "6869",
			packet{kind: kindData, id: 1, seq: 2, ack: 1, padding: 5, payload: []byte("hi")}},
	} {
		want, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(want)
		if err != nil || !reflect.DeepEqual(got, c.p) {
			t.Errorf("%s: decoded %+v, %v; want %+v", name, got, err, c.p)
		}
		if b := c.p.append(nil); !bytes.Equal(b, want) {
			t.Errorf("%s: encoded %x, want %x", name, b, want)
		}
	}
}

func TestUnknownExtensionsAreSkipped(t *testing.T) {
	// Extension 2 (the bits of old versions), then 1, then one that nobody knows.
	b, _ := hex.DecodeString("2102000000000000000000000000000000000000" + "01080000000000000000" + "630401000000" + "0001ff")
	p, err := decode(b)
	if err != nil || !bytes.Equal(p.selective, []byte{1, 0, 0, 0}) {
		t.Errorf("decoded %+v, %v", p, err)
	}
}

func TestMalformedPacketsAreRefused(t *testing.T) {
	header := "2101000000000000000000000000000000000000"
	for name, s := range map[string]string{
		"nothing":                     "",
		"a short header":              header[:38],
		"version 2":                   "22" + "00" + header[4:],
		"type 5":                      "51" + "00" + header[4:],
		"no extension after all":      header,
		"a short extension":           header + "0004ffffff",
		"an empty selective one":      header + "0000",
		"two selective ones":          header + "010400000000" + "000400000000",
		"more extensions than honest": "2109" + header[4:] + "0900090009000900090009000900090" + "00000",
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := decode(b); err == nil {
			t.Errorf("%s was decoded: %+v", name, p)
		}
	}
}

func TestPacketsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := packet{
			kind:       kind(rapid.Uint8Range(0, 4).Draw(t, "kind")),
			id:         rapid.Uint16().Draw(t, "id"),
			timestamp:  rapid.Uint32().Draw(t, "timestamp"),
			difference: rapid.Uint32().Draw(t, "difference"),
			window:     rapid.Uint32().Draw(t, "window"),
			seq:        rapid.Uint16().Draw(t, "seq"),
			ack:        rapid.Uint16().Draw(t, "ack"),
		}
		if n := rapid.IntRange(0, maxReorder/32).Draw(t, "selective"); n > 0 {
			p.selective = bytes.Repeat([]byte{1, 2, 3, 4}, n)
		}
		if rapid.Bool().Draw(t, "padded") {
			p.padding = rapid.IntRange(2, 257).Draw(t, "padding")
		}
		if p.kind == kindData {
			p.payload = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "payload")...)
		}
		b := p.append(nil)
		if len(b) != p.size() {
			t.Fatalf("%d bytes, and a size of %d", len(b), p.size())
		}
		got, err := decode(b)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("got %+v, %v; want %+v", got, err, p)
		}
	})
}

func TestNumbersWrap(t *testing.T) {
	for _, c := range []struct {
		a, b uint16
		want bool
	}{{0, 1, true}, {1, 0, false}, {0xffff, 0, true}, {0, 0xffff, false}, {5, 5, false}, {0xfff0, 0x10, true}} {
		if got := before(c.a, c.b); got != c.want {
			t.Errorf("before(%d, %d) = %v", c.a, c.b, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&packet{kind: kindData, seq: 1, selective: []byte{1, 2, 3, 4}, padding: 9, payload: []byte("data")}).append(nil))
	f.Add((&packet{kind: kindSyn}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decode(b)
		if err != nil {
			return
		}
		if len(p.payload) > len(b) || len(p.selective) > maxReorder/8 || p.padding > len(b) {
			t.Fatalf("%+v of %d bytes", p, len(b))
		}
		if p.padding > 257 { // of several extensions: not what we write
			return
		}
		again, err := decode(p.append(nil))
		if err != nil || !bytes.Equal(again.payload, p.payload) || !bytes.Equal(again.selective, p.selective) {
			t.Fatalf("%+v, %v became %+v", p, err, again)
		}
	})
}
