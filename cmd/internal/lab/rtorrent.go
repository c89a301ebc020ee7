//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// RTorrent starts rtorrent on links and torrent files, with their data below
// dir. What is there is checked first. It seeds until it is killed.
func (h *Host) RTorrent(dir string, crypto Crypto, sources ...string) *Proc {
	t := h.lab.t
	t.Helper()
	program := Tool(t, "rtorrent", "rtorrent")
	home := t.TempDir()
	encryption := "none"
	if crypto == Encrypted {
		encryption = "allow_incoming,try_outgoing,require,require_RC4"
	}
	settings := fmt.Appendf(nil, `system.daemon.set = true
session.path.set = %s
directory.default.set = %s
network.port_range.set = 6881-6881
network.port_random.set = no
protocol.encryption.set = %s
protocol.pex.set = yes
dht.mode.set = disable
trackers.use_udp.set = no
`, home, dir, encryption)
	name := filepath.Join(home, "rtorrent.rc")
	if err := os.WriteFile(name, settings, 0o600); err != nil {
		t.Fatal(err)
	}
	return h.Start(program, append([]string{"-n", "-o", "import=" + name}, sources...)...)
}
