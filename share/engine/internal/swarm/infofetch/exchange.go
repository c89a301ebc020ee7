package infofetch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
)

// exchange is the exchange of messages with one peer after the handshake.
type exchange struct {
	s    *session
	ctx  context.Context
	conn net.Conn
	w    io.Writer
	r    *bufio.Reader
	buf  []byte

	ext     byte     // the peer's number for ut_metadata, 0 when unknown
	size    int      // of the info dictionary, 0 when unknown
	blocks  [][]byte // what has arrived
	missing int      // how many blocks have not
	queue   []int    // blocks to ask for
	asked   []int
	rejects int // since the last block
	chatter int // messages since the last block
	learned int
}

// run requests the info dictionary until all of it has arrived.
func (x *exchange) run() ([]byte, error) {
	cfg := &x.s.f.cfg
	if err := x.send(extensionHandshake(cfg.Client, cfg.Port)); err != nil {
		return nil, err
	}
	for x.size == 0 || x.missing > 0 {
		m, err := readMessage(x.r, x.buf)
		if err != nil {
			return nil, err
		}
		if x.chatter++; x.chatter > maxChatter {
			return nil, errors.New("the peer sent too many messages")
		}
		switch {
		case m.kind == typePort:
			if cfg.OnDHTNode != nil && m.port != 0 {
				cfg.OnDHTNode(netip.AddrPortFrom(x.s.addr.Addr(), m.port))
			}
		case m.ext == 0:
			err = x.extensions(m.payload)
		case m.ext == ourMetadata:
			err = x.metadata(m.payload)
		case m.ext == ourPEX:
			err = x.pex(m.payload)
		}
		if err == nil {
			err = x.ask()
		}
		if err != nil {
			return nil, err
		}
	}
	return bytes.Join(x.blocks, nil), nil
}

func (x *exchange) send(b []byte) error {
	if _, err := x.w.Write(b); err != nil {
		return fmt.Errorf("writing to %s: %w", x.s.addr, err)
	}
	return nil
}

// progress gives the peer time for its next step.
func (x *exchange) progress() error {
	x.chatter, x.rejects = 0, 0
	if err := x.conn.SetDeadline(time.Now().Add(x.s.f.cfg.Patience)); err != nil {
		return fmt.Errorf("setting a deadline for %s: %w", x.s.addr, err)
	}
	return nil
}

// extensions reads the peer's BEP 10 handshake. A peer may repeat it, but not with
// another size.
func (x *exchange) extensions(payload []byte) error {
	v, _, err := bencode.Parse(payload, bencode.Small)
	if err != nil {
		return err
	}
	if n := v.Get("m").Get("ut_metadata"); n.Kind == bencode.Int && n.Int >= 0 && n.Int <= 255 {
		x.ext = byte(n.Int)
	}
	size := v.Get("metadata_size")
	if size.Kind != bencode.Int || size.Int == 0 {
		return nil
	}
	return x.setSize(size.Int)
}

func (x *exchange) setSize(n int64) error {
	if n <= 0 || n > MaxSize {
		return fmt.Errorf("the peer claims an info dictionary of %d bytes", n)
	}
	if x.size != 0 {
		if n != int64(x.size) {
			return fmt.Errorf("the peer changed the claimed size to %d bytes from %d", n, x.size)
		}
		return nil
	}
	x.size = int(n)
	x.missing = (x.size + blockSize - 1) / blockSize
	x.blocks = make([][]byte, x.missing)
	for i := range x.blocks {
		x.queue = append(x.queue, i)
	}
	return x.progress()
}

func (x *exchange) ask() error {
	for x.ext != 0 && len(x.queue) > 0 && len(x.asked) < pipeline {
		if err := x.send(metadataRequest(x.ext, x.queue[0])); err != nil {
			return err
		}
		x.asked = append(x.asked, x.queue[0])
		x.queue = x.queue[1:]
	}
	return nil
}

// metadata handles a ut_metadata message.
func (x *exchange) metadata(payload []byte) error {
	v, rest, err := bencode.Parse(payload, bencode.Small)
	if err != nil {
		return err
	}
	kind, piece := v.Get("msg_type"), v.Get("piece")
	if kind.Kind != bencode.Int || piece.Kind != bencode.Int {
		return errors.New("a metadata message without its type or piece")
	}
	if kind.Int == metaRequest {
		if piece.Int < 0 || x.ext == 0 {
			return nil
		}
		return x.send(metadataReject(x.ext, piece.Int))
	}
	at := slices.IndexFunc(x.asked, func(i int) bool { return int64(i) == piece.Int })
	switch kind.Int {
	case metaReject:
		if at < 0 {
			return nil
		}
		return x.rejected(at)
	case metaData:
		if at < 0 {
			return fmt.Errorf("the peer sent block %d, which was not requested", piece.Int)
		}
		if total := v.Get("total_size"); total.Kind == bencode.Int {
			if err := x.setSize(total.Int); err != nil {
				return err
			}
		}
		return x.take(at, rest)
	}
	return nil // BEP 9: unknown kinds are ignored
}

func (x *exchange) take(at int, data []byte) error {
	i := x.asked[at]
	if want := min(blockSize, x.size-i*blockSize); len(data) != want {
		return fmt.Errorf("block %d has %d bytes instead of %d", i, len(data), want)
	}
	x.asked = slices.Delete(x.asked, at, at+1)
	x.blocks[i] = bytes.Clone(data)
	x.missing--
	x.s.received.Add(int64(len(data)))
	return x.progress()
}

// rejected puts a block back. Peers reject requests that come too fast or for data
// that they do not have yet, so a later retry may succeed.
func (x *exchange) rejected(at int) error {
	if x.rejects++; x.rejects > maxRejects {
		return errors.New("the peer refuses to send the info dictionary")
	}
	x.queue = append(x.queue, x.asked[at])
	x.asked = slices.Delete(x.asked, at, at+1)
	if len(x.asked) > 0 {
		return nil
	}
	select {
	case <-time.After(rejectWait):
		return nil
	case <-x.ctx.Done():
		return context.Cause(x.ctx)
	}
}

// pex reads peers from peer exchange (BEP 11).
func (x *exchange) pex(payload []byte) error {
	v, _, err := bencode.Parse(payload, bencode.Small)
	if err != nil {
		return err
	}
	allow := x.s.f.cfg.Allow
	if allow == nil {
		return nil
	}
	for _, ap := range append(compact.Peers6(v.Get("added6").Str), compact.Peers4(v.Get("added").Str)...) {
		if x.learned >= maxLearned {
			break
		}
		if ap.Port() != 0 && allow(ap) {
			x.learned++
			x.s.f.queue.add(ap, time.Now(), true)
		}
	}
	return nil
}
