package dialback

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
)

const (
	askTime     = 12 * time.Second
	ourNumber   = 1
	typeExtend  = 20
	maxChatter  = 200     // messages before the answer
	maxSkipped  = 1 << 20 // bytes of one: a bit field
	maxExtended = 16 << 10
)

// NewNonce returns an unpredictable nonce.
func NewNonce() (n Nonce) {
	copy(n[:], "-SH0DB0-"+rand.Text())
	return n
}

// ErrNoHelp is wrapped by the error for a peer that does not support the extension.
var ErrNoHelp = errors.New("the peer does not support dial-back")

// Ask sends r over conn, a fresh connection to a peer that has the content id,
// and returns its answer. It closes conn.
func Ask(ctx context.Context, conn net.Conn, id share.ID, client string, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	a, err := ask(conn, id, client, r)
	if err != nil {
		return a, fmt.Errorf("asking %s to dial back: %w", conn.RemoteAddr(), err)
	}
	return a, nil
}

func ask(conn net.Conn, id share.ID, client string, r Request) (Answer, error) {
	hello := handshake(id, NewNonce())
	if _, err := conn.Write(hello); err != nil {
		return Answer{}, err
	}
	in := bufio.NewReader(conn)
	reply := make([]byte, len(hello))
	if _, err := io.ReadFull(in, reply); err != nil {
		return Answer{}, err
	}
	if string(reply[:len(greeting)]) != greeting || share.ID(reply[28:48]) != id || reply[25]&0x10 == 0 {
		return Answer{}, ErrNoHelp
	}
	b := bencode.AppendString([]byte("d1:md"), Name)
	b = append(bencode.AppendInt(b, ourNumber), 'e')
	if client != "" {
		b = bencode.AppendString(bencode.AppendString(b, "v"), client)
	}
	if _, err := conn.Write(extended(0, append(b, 'e'))); err != nil {
		return Answer{}, err
	}
	asked := false
	for range maxChatter {
		ext, payload, err := readExtended(in)
		if err != nil {
			return Answer{}, err
		}
		switch {
		case ext < 0:
		case ext == 0 && !asked:
			v, _, err := bencode.Parse(payload, bencode.Small)
			if err != nil {
				return Answer{}, err
			}
			n := v.Get("m").Get(Name)
			if n.Kind != bencode.Int || n.Int < 1 || n.Int > 255 {
				return Answer{}, ErrNoHelp
			}
			if _, err := conn.Write(extended(byte(n.Int), r.Append(nil))); err != nil {
				return Answer{}, err
			}
			asked = true
		case ext == ourNumber && asked:
			_, a, err := Parse(payload)
			if err != nil {
				return Answer{}, err
			}
			if a != nil && a.Nonce == r.Nonce {
				return *a, nil
			}
		}
	}
	return Answer{}, errors.New("the peer sent too many other messages")
}

func extended(number byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)+2))
	return append(append(b, typeExtend, number), payload...)
}

// readExtended reads one message; ext is -1 if it is not an extended message or is
// too long.
func readExtended(r *bufio.Reader) (ext int, payload []byte, err error) {
	var head [6]byte
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:4]))
	if n > maxSkipped {
		return 0, nil, fmt.Errorf("a message of %d bytes", n)
	}
	if n < 2 || n > maxExtended {
		_, err := r.Discard(int(n))
		return -1, nil, err
	}
	if _, err := io.ReadFull(r, head[4:]); err != nil {
		return 0, nil, err
	}
	if head[4] != typeExtend {
		_, err := r.Discard(int(n) - 2)
		return -1, nil, err
	}
	payload = make([]byte, n-2)
	_, err = io.ReadFull(r, payload)
	return int(head[5]), payload, err
}
