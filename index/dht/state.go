package dht

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// state is what a restart begins with. On disk it is text, a line for each:
//
//	shoal dht 1
//	id 40-HEX
//	node 40-HEX [ADDRESS]:PORT
type state struct {
	id    nodeid.ID
	nodes []table.Contact
}

const (
	stateHeader = "shoal dht 1"
	stateNodes  = 300
	stateBytes  = 64 << 10
)

var errState = errors.New("not the state of a DHT node")

func parseState(b []byte) (state, error) {
	var s state
	lines := bufio.NewScanner(bytes.NewReader(b))
	if !lines.Scan() || lines.Text() != stateHeader {
		return s, errState
	}
	for lines.Scan() && len(s.nodes) < stateNodes {
		var id nodeid.ID
		word, rest, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		digits, rest, _ := bytes.Cut(rest, []byte(" "))
		if n, err := hex.Decode(id[:], digits[:min(len(digits), 2*len(id))]); err != nil || n != len(id) || len(digits) != 2*len(id) {
			return state{}, errState
		}
		switch string(word) {
		case "id":
			s.id = id
		case "node":
			addr, err := netip.ParseAddrPort(string(rest))
			if err != nil {
				return state{}, errState
			}
			s.nodes = append(s.nodes, table.Contact{ID: id, Addr: addr})
		}
	}
	return s, nil
}

func (s *state) format() []byte {
	b := []byte(stateHeader + "\n")
	b = fmt.Appendf(b, "id %s\n", s.id)
	for _, n := range s.nodes[:min(len(s.nodes), stateNodes)] {
		b = fmt.Appendf(b, "node %s %s\n", n.ID, n.Addr)
	}
	return b
}

// load reads the state file. The state is not worth an error: a broken file is only
// logged.
func (n *Node) load() state {
	if n.cfg.StateFile == "" {
		return state{}
	}
	f, err := os.Open(n.cfg.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}
	}
	var s state
	if err == nil {
		defer f.Close()
		var b []byte
		if b, err = io.ReadAll(io.LimitReader(f, stateBytes)); err == nil {
			s, err = parseState(b)
		}
	}
	if err != nil {
		n.log.Warn("cannot read the nodes known before; starting without them", "file", n.cfg.StateFile, "error", err)
	}
	return s
}

// save replaces the state file, unless no node is known.
func (n *Node) save() {
	var s state
	n.do(func(time.Duration) { s = state{n.core.ID(), n.core.Contacts(nil)} })
	if n.cfg.StateFile == "" || len(s.nodes) == 0 {
		return
	}
	if err := replaceFile(n.cfg.StateFile, s.format()); err != nil {
		n.log.Warn("cannot save the known nodes", "error", err)
	}
}

func replaceFile(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
