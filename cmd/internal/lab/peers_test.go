//go:build linux

package lab_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// sample writes a file of random bytes and gives the path.
func sample(t *testing.T, dir, name string, size int) (path string, data []byte) {
	t.Helper()
	data = make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(data)
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// arrives waits until path holds data.
func arrives(t *testing.T, path string, data []byte) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		got, err := os.ReadFile(path)
		if err == nil && bytes.Equal(got, data) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d of %d bytes: %v", path, len(got), len(data), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The peers that others wrote work among themselves before they are set beside
// ours.
//
//	tracker      seeder ── router ── core ── router ── fetcher
//	   └──────────────────────────────┘
func TestPeersOfOthers(t *testing.T) {
	for _, crypto := range []lab.Crypto{lab.Plain, lab.Encrypted} {
		t.Run(string(crypto), func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			seeder := net.Home("seeder")
			dir := t.TempDir()
			path, data := sample(t, dir, "content", 3<<20+1)
			torrent, id := seeder.MakeTorrent(path, tracker.URL)
			seeder.Libtorrent("seed", torrent, dir, "--crypto", string(crypto)).Event("ready", nil)
			link := lab.Magnet(id, tracker.URL)

			// All at once: transmission takes its time.
			a, b, c, d, e, f, g := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
			net.Home("libtorrent").Libtorrent("get", link, a, "--crypto", string(crypto))
			net.Home("aria2").Aria2(link, b, crypto)
			net.Home("transmission").TransmissionGet(link, c, crypto)
			net.Home("daemon").Transmission(d, crypto, torrent)
			net.Home("qbittorrent").QBittorrent(e, crypto, link)
			net.Home("rtorrent").RTorrent(f, crypto, torrent)
			net.Home("deluge").Deluge(g, crypto, link)
			for _, into := range []string{a, b, c, d, e, f, g} {
				arrives(t, filepath.Join(into, "content"), data)
			}
		})
	}
}
