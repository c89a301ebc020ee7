package peerguard

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	pp "github.com/anacrolix/torrent/peer_protocol"
	bep55 "github.com/anacrolix/torrent/peer_protocol/ut-holepunch"

	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
)

const (
	maxHandshakes = 32
	maxName       = 64 // bytes of a peer's name for itself
	maxRequests   = 2000
	// BEP 11 asks for a minute between messages and at most 50 addresses in
	// each. The client hangs up on peers that hurry.
	pexEvery    = 46 * time.Second
	maxPEX      = 50
	maxLearned  = 2000 // addresses of one peer in all
	metaBlock   = 16 << 10
	metaRequest = 0
	maxBlock    = 1 << 16
	// One connection asks to be called, or is answered, this often.
	maxDialBacks = 16
	// One connection introduces, or asks to be introduced, this often.
	maxPunches = 200
)

func (c *Conn) extended(m *pp.Message) error {
	switch m.ExtendedID {
	case pp.HandshakeExtendedID:
		return c.handshake(m)
	case extMetadata:
		return c.metadata(m)
	case c.shape.dialBack():
		return c.dialBack(m)
	case c.shape.punch():
		return c.punch(m)
	case extPEX:
		return c.pex(m)
	}
	// Some programs send messages we never said we understand.
	return errIgnore
}

// handshake lets the first BEP 10 handshake through, rewritten. Of another the
// client would keep something each time.
func (c *Conn) handshake(m *pp.Message) error {
	if c.handshakes++; c.handshakes > maxHandshakes {
		return errors.New("too many extension handshakes")
	}
	if c.handshakes > 1 {
		return errIgnore
	}
	v, _, err := bencode.Parse(m.ExtendedPayload, bencode.Small)
	if err != nil {
		return err
	}
	if v.Kind != bencode.Dict {
		return errors.New("the extension handshake is not a dictionary")
	}
	b := []byte("d")
	if v.Get("e").Int != 0 {
		b = bencode.AppendInt(bencode.AppendString(b, "e"), 1)
	}
	b = append(bencode.AppendString(b, "m"), 'd')
	for _, name := range []string{dialback.Name, PunchAlias, string(pp.ExtensionNameMetadata), string(pp.ExtensionNamePex)} {
		theirs := name
		if name == PunchAlias {
			theirs = bep55.ExtensionName
		}
		id := v.Get("m").Get(theirs)
		if id.Kind == bencode.Int && id.Int > 0 && id.Int <= 255 {
			b = bencode.AppendInt(bencode.AppendString(b, name), id.Int)
		}
	}
	b = append(b, 'e')
	// Not metadata_size: the info dictionary is known.
	if p := v.Get("p"); p.Int > 0 && p.Int <= 65535 {
		b = bencode.AppendInt(bencode.AppendString(b, "p"), p.Int)
	}
	if r := v.Get("reqq"); r.Int > 0 {
		b = bencode.AppendInt(bencode.AppendString(b, "reqq"), min(r.Int, maxRequests))
	}
	if name := clientName(v.Get("v").Str); name != "" {
		b = bencode.AppendString(bencode.AppendString(b, "v"), name)
	}
	if ip := v.Get("yourip").Str; len(ip) == 16 {
		b = bencode.AppendString(bencode.AppendString(b, "yourip"), ip)
	}
	m.ExtendedPayload = append(b, 'e')
	return nil
}

// clientName makes what a peer calls itself fit to be shown.
func clientName(b []byte) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), maxName)]), "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// metadata lets requests for blocks of the info dictionary through. We ask for
// none, so nothing else has a place here.
func (c *Conn) metadata(m *pp.Message) error {
	v, _, err := bencode.Parse(m.ExtendedPayload, bencode.Small)
	if err != nil {
		return err
	}
	kind, piece := v.Get("msg_type"), v.Get("piece")
	if kind.Kind != bencode.Int || piece.Kind != bencode.Int {
		return errors.New("a metadata message without its type or piece")
	}
	if kind.Int != metaRequest {
		return errStrike
	}
	// The client rejects what is too high; this keeps its arithmetic safe.
	if piece.Int < 0 || piece.Int > maxBlock {
		return fmt.Errorf("block %d of the info dictionary", piece.Int)
	}
	if c.handshakes == 0 {
		return errStrike // there is no number to answer with
	}
	// Asking for all of it at once is fair, asking again meanwhile is not.
	c.blocks = min(c.blocks+1, int64(c.shape.InfoSize/metaBlock)+1)
	c.owed += metaBlock + 64
	b := bencode.AppendInt(bencode.AppendString([]byte("d"), "msg_type"), metaRequest)
	b = bencode.AppendInt(bencode.AppendString(b, "piece"), piece.Int)
	m.ExtendedPayload = append(b, 'e')
	return nil
}

// dialBack lets few and well-formed requests to be called through.
func (c *Conn) dialBack(m *pp.Message) error {
	if c.dialbacks++; c.dialbacks > maxDialBacks || c.handshakes == 0 {
		return errStrike
	}
	if _, _, err := dialback.Parse(m.ExtendedPayload); err != nil {
		return errStrike
	}
	return nil
}

// punch lets few and well-formed messages of BEP 55 through.
func (c *Conn) punch(m *pp.Message) error {
	if c.punches++; c.punches > maxPunches || c.handshakes == 0 {
		return errStrike
	}
	var msg bep55.Msg
	if n := len(m.ExtendedPayload); n != 12 && n != 24 || msg.UnmarshalBinary(m.ExtendedPayload) != nil {
		return errStrike
	}
	return nil
}

// pex hands on the addresses that may be dialled. The client remembers all it
// is ever given, so there is a limit for each connection.
func (c *Conn) pex(m *pp.Message) error {
	v, _, err := bencode.Parse(m.ExtendedPayload, bencode.Small)
	if err != nil {
		return err
	}
	now := c.now()
	if c.handshakes == 0 || !c.lastPEX.IsZero() && now.Sub(c.lastPEX) < pexEvery {
		return errStrike
	}
	room := min(maxPEX, maxLearned-c.learned)
	added6, flags6 := c.addresses(compact.Peers6(v.Get("added6").Str), v.Get("added6.f").Str, &room)
	added4, flags4 := c.addresses(compact.Peers4(v.Get("added").Str), v.Get("added.f").Str, &room)
	room = 2 * maxPEX
	dropped6, _ := c.addresses(compact.Peers6(v.Get("dropped6").Str), nil, &room)
	dropped4, _ := c.addresses(compact.Peers4(v.Get("dropped").Str), nil, &room)
	c.learned += len(flags6) + len(flags4)
	c.lastPEX = now

	b := []byte("d")
	for _, f := range []struct {
		key   string
		value []byte
	}{
		{"added", added4}, {"added.f", flags4}, {"added6", added6}, {"added6.f", flags6},
		{"dropped", dropped4}, {"dropped6", dropped6},
	} {
		b = bencode.AppendString(bencode.AppendString(b, f.key), f.value)
	}
	m.ExtendedPayload = append(b, 'e')
	return nil
}

// addresses writes the allowed ones of list in compact form, with one byte of
// flags each.
func (c *Conn) addresses(list []netip.AddrPort, flags []byte, room *int) (out, outFlags []byte) {
	for i, ap := range list {
		if *room == 0 {
			break
		}
		if c.shape.Policy.CheckPeer(ap) != nil {
			continue
		}
		*room--
		out = compact.Append(out, ap)
		var f byte
		if i < len(flags) {
			f = flags[i]
		}
		outFlags = append(outFlags, f)
	}
	return out, outFlags
}
