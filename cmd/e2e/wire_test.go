//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// layout is how content is cut into pieces, as libtorrent reads it from the
// torrent file.
type layout struct {
	PieceLength int64    `json:"piece_length"`
	Total       int64    `json:"total"`
	Files       []extent `json:"files"`
}

type extent struct {
	Path   string
	Offset int64
	Length int64
	Pad    bool
}

func (l *layout) pieces() int { return int((l.Total + l.PieceLength - 1) / l.PieceLength) }

// torrentLayout asks libtorrent, which did not write the torrent.
func torrentLayout(t testing.TB, h *lab.Host, torrent string) *layout {
	t.Helper()
	var l layout
	if err := json.Unmarshal([]byte(h.RunLibtorrent("layout", torrent, "-")), &l); err != nil {
		t.Fatal(err)
	}
	return &l
}

// piece reads piece i below dir. Files that are not complete are found by the
// name they have meanwhile; what is not there reads as zeros.
func (l *layout) piece(dir string, i int) ([]byte, error) {
	from := int64(i) * l.PieceLength
	buf := make([]byte, min(l.PieceLength, l.Total-from))
	for _, f := range l.Files {
		start, end := max(from, f.Offset), min(from+int64(len(buf)), f.Offset+f.Length)
		if start >= end || f.Pad {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		file, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			file, err = openPart(name)
		}
		if err != nil {
			return nil, err
		}
		_, err = file.ReadAt(buf[start-from:end-from], start-f.Offset)
		file.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return buf, nil
}

// trueClaims checks every piece that a node offers against the content: what is on
// its disk must be what was shared. It gives the number of pieces offered.
func trueClaims(t testing.TB, l *layout, offered []bool, shared, fetched string) (n int) {
	t.Helper()
	for i, has := range offered {
		if !has {
			continue
		}
		n++
		want, err := l.piece(shared, i)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.piece(fetched, i)
		if err != nil {
			t.Errorf("piece %d is offered and cannot be read: %v", i, err)
		} else if !bytes.Equal(want, got) {
			t.Errorf("piece %d is offered and is wrong", i)
		}
	}
	return n
}

// offers connects to a node as any peer does, again where it is turned away and
// still runs, and listens to what pieces the node says it has: until enough of
// them were offered and it has been silent for a moment. The protocol is BEP 3
// and BEP 6.
func offers(from *lab.Host, node *lab.Proc, address, id string, pieces, enough int) (has []bool, err error) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if has, err = askOffers(from, address, id, pieces, enough); err == nil {
			break
		}
		select {
		case <-node.Exited():
			return nil, errExited
		case <-time.After(100 * time.Millisecond):
		}
	}
	return has, err
}

var errExited = errors.New("the node has ended")

func askOffers(from *lab.Host, address, id string, pieces, enough int) ([]bool, error) {
	const patience = 20 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := from.Dial(ctx, "tcp6", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	hash, err := hex.DecodeString(id)
	if err != nil {
		return nil, err
	}
	hello := append([]byte("\x13BitTorrent protocol\x00\x00\x00\x00\x00\x00\x00\x04"), hash...)
	hello = append(hello, "-LAB000-0123456789ab"...)
	if _, err := conn.Write(hello); err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(conn, make([]byte, len(hello))); err != nil {
		return nil, fmt.Errorf("reading the handshake: %w", err)
	}
	has, n := make([]bool, pieces), 0
	add := func(i int) error {
		if i >= pieces {
			return fmt.Errorf("piece %d of %d", i, pieces)
		}
		if !has[i] {
			has[i] = true
			n++
		}
		return nil
	}
	for said := false; ; {
		wait := patience
		if said && n >= enough {
			wait = 300 * time.Millisecond // whatever else it is about to say
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		message, err := readMessage(conn)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			if n < enough {
				return has, fmt.Errorf("%d pieces are offered, not %d: %w", n, enough, err)
			}
			return has, nil
		}
		if err != nil {
			return nil, err
		}
		if len(message) == 0 {
			continue
		}
		switch kind, body := message[0], message[1:]; kind {
		case 4: // have
			if len(body) != 4 {
				return nil, errors.New("malformed have")
			}
			err = add(int(binary.BigEndian.Uint32(body)))
		case 5: // bitfield
			said = true
			if len(body) != (pieces+7)/8 {
				return nil, fmt.Errorf("a bitfield of %d bytes for %d pieces", len(body), pieces)
			}
			for i := range pieces {
				if body[i/8]&(0x80>>(i%8)) != 0 {
					err = errors.Join(err, add(i))
				}
			}
		case 14: // have all
			said = true
			for i := range pieces {
				err = errors.Join(err, add(i))
			}
		case 15: // have none
			said = true
		}
		if err != nil {
			return nil, err
		}
	}
}

func readMessage(r io.Reader) ([]byte, error) {
	var length uint32
	if err := binary.Read(r, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	if length > 1<<20 {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	message := make([]byte, length)
	_, err := io.ReadFull(r, message)
	return message, err
}

// The checker itself finds a wrong byte.
func TestCheckerSeesAWrongByte(t *testing.T) {
	dir := t.TempDir()
	for _, who := range []string{"shared", "fetched"} {
		if err := os.Mkdir(filepath.Join(dir, who), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l := &layout{PieceLength: 4, Total: 10, Files: []extent{{Path: "a", Length: 5}, {Path: "b", Offset: 5, Length: 5}}}
	write := func(name, data string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("shared/a", "01234")
	write("shared/b", "56789")
	write("fetched/a", "01234")
	write("fetched/b.shoal-000000.part", "5678x")
	var wrong []int
	for i := range l.pieces() {
		want, err := l.piece(filepath.Join(dir, "shared"), i)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.piece(filepath.Join(dir, "fetched"), i)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			wrong = append(wrong, i)
		}
	}
	if !slices.Equal(wrong, []int{2}) {
		t.Errorf("wrong pieces: %v", wrong)
	}
}

// The asker understands what others' clients say.
//
//	seeder ── router ── core ── router ── asker
func TestOffersOfLibtorrentAreUnderstood(t *testing.T) {
	net := lab.New(t)
	seeder, asker := net.Home("seeder"), net.Home("asker")
	folder := smallFolder(t)
	torrent, id := seeder.MakeTorrent(folder)
	peer := seeder.Libtorrent("seed", torrent, filepath.Dir(folder), "--listen", "[::]:7000")
	peer.Event("ready", nil)
	l := torrentLayout(t, asker, torrent)
	offered, err := offers(asker, peer, seeder.At(7000), id, l.pieces(), l.pieces())
	if err != nil {
		t.Fatal(err)
	}
	if n := trueClaims(t, l, offered, folder, folder); n != l.pieces() {
		t.Errorf("%d of %d pieces", n, l.pieces())
	}
}

// openPart opens an unfinished file by its final name.
func openPart(name string) (*os.File, error) {
	all, err := filepath.Glob(name + ".shoal-*.part")
	if err != nil || len(all) == 0 {
		return nil, errors.Join(os.ErrNotExist, err)
	}
	return os.Open(all[0])
}
