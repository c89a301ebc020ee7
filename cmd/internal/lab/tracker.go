//go:build linux

package lab

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Tracker is an HTTP tracker over IPv6 (BEP 3, 7, 23): it tells everyone of
// everyone who announced the same content.
type Tracker struct {
	// URL is where to announce.
	URL string

	t     testing.TB
	mu    sync.Mutex
	peers map[string][]netip.AddrPort // by info-hash, in the order they came
}

// Tracker runs a tracker on the host until the test ends.
func (h *Host) Tracker() *Tracker {
	h.lab.t.Helper()
	tr := &Tracker{t: h.lab.t, peers: map[string][]netip.AddrPort{}}
	tr.URL = h.Serve(tr) + "/announce"
	return tr
}

// Announce announces a peer on its behalf; id is in hex.
func (tr *Tracker) Announce(id, address string) {
	raw, err := hex.DecodeString(id)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.peers[string(raw)] = append(tr.peers[string(raw)], netip.MustParseAddrPort(address))
}

// Peers are those who announced anything, each once for each content.
func (tr *Tracker) Peers() (all []netip.AddrPort) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, peers := range tr.peers {
		all = append(all, peers...)
	}
	return all
}

// Await waits until so many peers have announced themselves.
func (tr *Tracker) Await(peers int) {
	tr.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for len(tr.Peers()) < peers {
		if time.Now().After(deadline) {
			tr.t.Fatalf("only %v announced themselves", tr.Peers())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ServeHTTP answers an announce.
func (tr *Tracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	port, errPort := strconv.ParseUint(r.FormValue("port"), 10, 16)
	id := r.FormValue("info_hash")
	if err != nil || errPort != nil || len(id) != 20 {
		http.Error(w, "d14:failure reason11:bad requeste", http.StatusBadRequest)
		return
	}
	peer := netip.AddrPortFrom(from.Addr(), uint16(port))
	var others bytes.Buffer
	tr.mu.Lock()
	known := false
	for _, p := range tr.peers[id] {
		if p == peer {
			known = true
			continue
		}
		b := p.Addr().As16()
		others.Write(b[:])
		others.Write([]byte{byte(p.Port() >> 8), byte(p.Port())})
	}
	if !known {
		tr.peers[id] = append(tr.peers[id], peer)
	}
	tr.mu.Unlock()
	fmt.Fprintf(w, "d8:completei1e10:incompletei1e8:intervali2e12:min intervali1e5:peers0:6:peers6%d:%se",
		others.Len(), others.Bytes())
}
