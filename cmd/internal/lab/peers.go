//go:build linux

package lab

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// LibtorrentScript is a peer built on libtorrent's Python binding; its head
// explains its commands. It runs with /usr/bin/python3, which is where Debian
// puts the binding.
//
//go:embed peer.py
var LibtorrentScript []byte

const python = "/usr/bin/python3"

// Crypto says what handshakes a peer uses (message stream encryption).
type Crypto string

// Plain peers refuse encryption, Encrypted ones refuse everything else.
const (
	Plain     Crypto = "plain"
	Encrypted Crypto = "required"
)

// Libtorrent starts a libtorrent peer with a command of LibtorrentScript.
func (h *Host) Libtorrent(args ...string) *Proc {
	h.lab.t.Helper()
	return h.Start(python, append([]string{libtorrentScript(h.lab.t)}, args...)...)
}

// RunLibtorrent runs a command of LibtorrentScript to its good end, and gives
// what it printed.
func (h *Host) RunLibtorrent(args ...string) string {
	h.lab.t.Helper()
	return h.Run(python, append([]string{libtorrentScript(h.lab.t)}, args...)...)
}

// libtorrentScript writes the script where Python can read it, or skips.
func libtorrentScript(t testing.TB) string {
	t.Helper()
	if exec.Command(python, "-c", "import libtorrent").Run() != nil {
		Skip(t, "needs libtorrent: apt-get install python3-libtorrent")
	}
	name := filepath.Join(t.TempDir(), "peer.py")
	if err := os.WriteFile(name, LibtorrentScript, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// MakeTorrent has libtorrent write a v1 torrent for path, and gives the
// torrent's file and its ID.
func (h *Host) MakeTorrent(path string, trackers ...string) (file, id string) {
	h.lab.t.Helper()
	made := h.MakeTorrentOf("v1", path, trackers...)
	return made.File, made.ID
}

// Made is a torrent that libtorrent wrote, and its v1 and v2 info-hashes in hex, each
// empty if it has none.
type Made struct{ File, ID, V2 string }

// MakeTorrentOf is MakeTorrent for a kind of torrent: v1, v2 or hybrid.
func (h *Host) MakeTorrentOf(kind, path string, trackers ...string) (made Made) {
	t := h.lab.t
	t.Helper()
	made.File = filepath.Join(t.TempDir(), filepath.Base(path)+".torrent")
	p := h.Libtorrent(append([]string{"--kind", kind, "make", path, made.File}, trackers...)...)
	p.Event("made", &made)
	if status := p.Wait(); status != 0 {
		t.Fatalf("making a torrent: exit status %d: %s", status, p.Stderr())
	}
	return made
}

// Aria2 starts aria2c on a link or torrent, with its data below dir. It seeds
// until it is killed; Says tells what it is about.
func (h *Host) Aria2(link, dir string, crypto Crypto, more ...string) *Proc {
	t := h.lab.t
	t.Helper()
	aria2 := Tool(t, "aria2c", "aria2")
	args := []string{
		"--no-conf", "--dir=" + dir, "--listen-port=6881-6999", "--check-integrity=true",
		"--seed-ratio=0", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
		"--summary-interval=1", "--console-log-level=notice", "--file-allocation=none",
		"--bt-tracker-interval=1", "--bt-stop-timeout=0", "--follow-torrent=mem",
	}
	if crypto == Encrypted {
		args = append(args, "--bt-require-crypto=true", "--bt-min-crypto-level=arc4")
	} else {
		args = append(args, "--bt-require-crypto=false", "--bt-min-crypto-level=plain")
	}
	return h.Start(aria2, append(append(args, more...), link)...)
}

// Transmission starts transmission-daemon with the torrent files given added
// and their data below dir. It seeds until it is killed.
func (h *Host) Transmission(dir string, crypto Crypto, torrents ...string) *Proc {
	t := h.lab.t
	t.Helper()
	daemon := Tool(t, "transmission-daemon", "transmission-daemon")
	home, watch := t.TempDir(), t.TempDir()
	h.transmissionSettings(home, dir, crypto)
	for _, torrent := range torrents {
		data, err := os.ReadFile(torrent)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(watch, filepath.Base(torrent)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h.Start(daemon, "--foreground", "--config-dir", home, "--watch-dir", watch, "--log-info")
}

// TransmissionGet starts transmission-cli on one link or torrent file, with its
// data below dir, on a port that is not the daemon's. It goes on seeding; what it
// wrote to its standard output tells how far it is.
func (h *Host) TransmissionGet(link, dir string, crypto Crypto) *Proc {
	t := h.lab.t
	t.Helper()
	cli := Tool(t, "transmission-cli", "transmission-cli")
	home := t.TempDir()
	h.transmissionSettings(home, dir, crypto)
	return h.Start(cli, "--config-dir", home, "--port", "51414", "--download-dir", dir, link)
}

func (h *Host) transmissionSettings(home, dir string, crypto Crypto) {
	t := h.lab.t
	t.Helper()
	encryption := 0 // prefer unencrypted
	if crypto == Encrypted {
		encryption = 2 // required
	}
	settings, err := json.Marshal(map[string]any{
		"bind-address-ipv6":            "::",
		"dht-enabled":                  false,
		"download-dir":                 dir,
		"encryption":                   encryption,
		"incomplete-dir-enabled":       false,
		"lpd-enabled":                  false,
		"peer-port":                    51413,
		"pex-enabled":                  true,
		"port-forwarding-enabled":      false,
		"rename-partial-files":         true,
		"rpc-enabled":                  false,
		"trash-original-torrent-files": false,
		"umask":                        18,
		"utp-enabled":                  false,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "settings.json"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
}

// At is an address of the host as peers and URLs write it.
func (h *Host) At(port int) string {
	return netip.AddrPortFrom(h.Addr, uint16(port)).String()
}

// Magnet is a link to id with these trackers.
func Magnet(id string, trackers ...string) string {
	link := fmt.Sprintf("magnet:?xt=urn:btih:%s", id)
	for _, tracker := range trackers {
		link += "&tr=" + tracker
	}
	return link
}
