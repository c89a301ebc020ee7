package channel

import (
	"bytes"
	"fmt"

	"github.com/anacrolix/dht/v2/bep44"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// sign makes the item that names id as the newest catalogue (BEP 46).
func (k Key) sign(seq int64, id share.ID) index.Item {
	it := index.Item{Value: value(id), Key: k.Public(), Salt: k.Salt, Seq: seq}
	copy(it.Sig[:], bep44.Sign(k.secret, k.Salt, seq, it.Value))
	return it
}

// value is the bencoded dictionary of BEP 46.
func value(id share.ID) []byte {
	return append([]byte("d2:ih20:"), append(id[:], 'e')...)
}

// target returns the ID in an item's value: that of the dictionary of BEP 46, which
// may have more keys, or a string that is the ID itself, because some libraries can
// only put strings.
func target(v []byte) (share.ID, error) {
	refuse := share.Errorf(share.Refused, "the item of the channel does not point to a catalogue (BEP 46)")
	if id, rest, ok := bencodedString(v); ok && len(rest) == 0 && len(id) == len(share.ID{}) && !share.ID(id).IsZero() {
		return share.ID(id), nil
	}
	if len(v) < 2 || v[0] != 'd' {
		return share.ID{}, refuse
	}
	rest := v[1:]
	for len(rest) > 0 && rest[0] != 'e' {
		key, after, ok := bencodedString(rest)
		if !ok {
			return share.ID{}, refuse
		}
		if string(key) == "ih" {
			id, _, ok := bencodedString(after)
			if !ok || len(id) != len(share.ID{}) || share.ID(id).IsZero() {
				return share.ID{}, refuse
			}
			return share.ID(id), nil
		}
		if rest, ok = skipBencoded(after, 0); !ok {
			return share.ID{}, refuse
		}
	}
	return share.ID{}, refuse
}

func bencodedString(b []byte) (s, rest []byte, ok bool) {
	n, digits := 0, 0
	for digits < len(b) && digits < 5 && b[digits] >= '0' && b[digits] <= '9' {
		n = 10*n + int(b[digits]-'0')
		digits++
	}
	if digits == 0 || digits == len(b) || b[digits] != ':' || len(b)-digits-1 < n {
		return nil, nil, false
	}
	b = b[digits+1:]
	return b[:n], b[n:], true
}

// skipBencoded returns the bytes after one value.
func skipBencoded(b []byte, depth int) (rest []byte, ok bool) {
	const deepest = 20
	if len(b) == 0 || depth > deepest {
		return nil, false
	}
	switch b[0] {
	case 'i':
		end := bytes.IndexByte(b, 'e')
		if end < 0 {
			return nil, false
		}
		return b[end+1:], true
	case 'l', 'd':
		b = b[1:]
		for len(b) > 0 && b[0] != 'e' {
			if b, ok = skipBencoded(b, depth+1); !ok {
				return nil, false
			}
		}
		if len(b) == 0 {
			return nil, false
		}
		return b[1:], true
	}
	_, rest, ok = bencodedString(b)
	return rest, ok
}

// check verifies that an item belongs to the channel and is signed by its key, and
// returns the catalogue that it points to.
func check(l index.ChannelLink, it index.Item) (share.ID, error) {
	if it.Key != l.ID || !bytes.Equal(it.Salt, l.Salt) || it.Seq < 0 ||
		!bep44.Verify(it.Key[:], it.Salt, it.Seq, it.Value, it.Sig[:]) {
		return share.ID{}, fmt.Errorf("an item that claims to be of channel %s: %w", l.ID.Short(), index.ErrForged)
	}
	return target(it.Value)
}
