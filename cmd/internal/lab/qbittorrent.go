//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// QBittorrent starts qbittorrent-nox on links and torrent files, with their data
// below dir. What is there is checked first. It seeds until it is killed.
func (h *Host) QBittorrent(dir string, crypto Crypto, sources ...string) *Proc {
	t := h.lab.t
	t.Helper()
	program := Tool(t, "qbittorrent-nox", "qbittorrent-nox")
	profile := t.TempDir()
	config := filepath.Join(profile, "qBittorrent", "config")
	if err := os.MkdirAll(config, 0o700); err != nil {
		t.Fatal(err)
	}
	encryption := 2 // disabled
	if crypto == Encrypted {
		encryption = 1 // required
	}
	settings := fmt.Appendf(nil, `[LegalNotice]
Accepted=true

[Preferences]
WebUI\Enabled=false

[Network]
PortForwardingEnabled=false

[BitTorrent]
Session\BTProtocol=TCP
Session\DHTEnabled=false
Session\DefaultSavePath=%s
Session\Encryption=%d
Session\LSDEnabled=false
Session\Port=6881
Session\QueueingSystemEnabled=false
`, dir, encryption)
	if err := os.WriteFile(filepath.Join(config, "qBittorrent.conf"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	return h.Start(program, append([]string{"--profile=" + profile, "--save-path=" + dir}, sources...)...)
}
