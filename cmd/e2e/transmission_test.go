//go:build linux

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// Transmission leaves some requests of a long download unanswered, and they are
// asked again.
//
//	transmission ── router ── core ── router ── bob
func TestALotFromTransmission(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	h, bob := net.Home("transmission"), at(t, net.Home("bob"))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 64<<20+5, 22)
	torrent, id := h.MakeTorrent(file)
	h.Transmission(filepath.Dir(file), lab.Plain, torrent)
	get := bob.Get(withPeer(lab.Magnet(id), h.At(51413)), t.TempDir()).Within(patience)
	identical(t, file, arrived(t, get).Path)
}
