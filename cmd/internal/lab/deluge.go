//go:build linux

package lab

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed deluge.py
var delugeScript []byte

// Deluge starts deluged on links and torrent files, with their data below dir.
// What is there is checked first. It seeds until it is killed.
func (h *Host) Deluge(dir string, crypto Crypto, sources ...string) *Proc {
	t := h.lab.t
	t.Helper()
	program := Tool(t, "deluged", "deluged")
	const port, password = 58846, "lab"
	home := t.TempDir()
	policy, level := 2, 2 // disabled, either
	if crypto == Encrypted {
		policy, level = 0, 1 // forced, all of the stream
	}
	settings, err := json.Marshal(map[string]any{
		"dht":               false,
		"download_location": dir,
		"enc_in_policy":     policy,
		"enc_out_policy":    policy,
		"enc_level":         level,
		"listen_interface":  "[::]",
		"listen_ports":      []int{6881, 6881},
		"lsd":               false,
		"natpmp":            false,
		"random_port":       false,
		"upnp":              false,
		"utpex":             true,
	})
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(home, "rpc.py")
	for name, data := range map[string][]byte{
		// The version of the format, then the settings.
		filepath.Join(home, "core.conf"): fmt.Appendf(nil, `{"file": 1, "format": 1}%s`, settings),
		filepath.Join(home, "auth"):      fmt.Appendf(nil, "localclient:%s:10\n", password),
		script:                           delugeScript,
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := h.Start(program, "--do-not-daemonize", "--config", home, "--ui-interface", "::1",
		"--port", strconv.Itoa(port), "--loglevel", "info")
	h.Run(python, append([]string{script, strconv.Itoa(port), password, dir}, sources...)...)
	return p
}
