package wire

import (
	"bytes"
	"testing"
)

// Whatever a peer sends: what is read keeps to the layout, takes no more memory
// than came, and is read as the same when written again.
func FuzzRead(f *testing.F) {
	f.Add(join(Message{Type: HaveAll}, Message{Type: Piece, Index: 2, Begin: 16 << 10, Block: make([]byte, 3616)}), true)
	f.Add(join(Message{Type: Bitfield, Payload: []byte{0xa0}}, Message{Type: Request, Length: 1}, Message{Type: Cancel, Length: 1}), true)
	f.Add(join(Message{Type: Bitfield, Payload: make([]byte, 2000)}, Message{Type: Have, Index: 77}), false)
	f.Add(join(Message{Type: Hashes, Hash: &HashSpan{Length: 2, Hashes: make([][32]byte, 2)}}, Message{Type: HashRequest, Hash: &HashSpan{Length: 2}}), true)
	f.Add(join(Message{Type: Extended, Payload: AppendHandshake(nil, &Handshake{Extensions: map[string]uint8{NamePEX: 1}, Client: "x"})}), false)
	f.Add([]byte{0, 0, 0, 3, 99, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0}, true)
	f.Fuzz(func(t *testing.T, in []byte, known bool) {
		r := NewReader(bytes.NewReader(in), all())
		defer r.Release()
		l := &Layout{}
		if known {
			l = &layout
		}
		r.SetLayout(l)
		for {
			var m Message
			if r.Read(&m) != nil {
				break
			}
			if cap(r.long) > 2*len(in)+64<<10 {
				t.Fatalf("%d bytes of memory for %d", cap(r.long), len(in))
			}
			switch m.Type {
			case Request, Cancel, Reject, Piece:
				if !known || int(m.Index) >= l.Pieces || m.Length == 0 || int(m.Begin)+int(m.Length) > l.Len(int(m.Index)) {
					t.Fatalf("%+v", m)
				}
			case Bitfield:
				if known && CheckBits(m.Payload, l.Pieces) != nil {
					t.Fatalf("%+v", m)
				}
			}
			again := NewReader(bytes.NewReader(Append(nil, &m)), all())
			defer again.Release()
			again.SetLayout(l)
			var n Message
			if err := again.Read(&n); err != nil || n.Type != m.Type || !bytes.Equal(Append(nil, &m), Append(nil, &n)) {
				t.Fatalf("%+v became %+v: %v", m, n, err)
			}
		}
	})
}

// Extended messages of any content: what is read is within its bounds.
func FuzzExtended(f *testing.F) {
	f.Add(AppendHandshake(nil, &Handshake{Extensions: map[string]uint8{NamePEX: 1}, Port: 1, ReqQ: 2, InfoSize: 3, Client: "c"}))
	f.Add(AppendMetadata(nil, &Metadata{Kind: MetaData, Total: 3, Data: []byte("abc")}))
	f.Add(AppendPEX(nil, &PEX{Added: []PEXPeer{{Flags: 1}}}))
	f.Add(AppendDontHave(nil, 1))
	f.Add([]byte("\x01\x01aaaaaaaaaaaaaaaabb"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if h, err := ParseHandshake(in); err == nil {
			if len(h.Extensions) > maxExtensions || len(h.Client) > 4*maxClient || h.InfoSize > MaxInfo || h.InfoSize < 0 {
				t.Fatalf("%+v", h)
			}
			if again, err := ParseHandshake(AppendHandshake(nil, &h)); err != nil || len(again.Extensions) != len(h.Extensions) {
				t.Fatalf("%+v became %+v: %v", h, again, err)
			}
		}
		if m, err := ParseMetadata(in); err == nil && (m.Piece < 0 || len(m.Data) > BlockSize || m.Kind == MetaData && len(m.Data) == 0) {
			t.Fatalf("%+v", m)
		}
		if p, err := ParsePEX(in); err == nil && (len(p.Added) > MaxPEX || len(p.Dropped) > 2*MaxPEX) {
			t.Fatalf("%d, %d", len(p.Added), len(p.Dropped))
		}
		if i, err := ParseDontHave(in, &layout); err == nil && i >= layout.Pieces {
			t.Fatal(i)
		}
		_, _ = ParseHolepunch(in)
	})
}
