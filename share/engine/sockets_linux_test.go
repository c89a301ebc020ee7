package engine

import (
	"bufio"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// udpSockets are the UDP sockets of this process, by inode.
func udpSockets(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range []string{"udp", "udp6"} {
		f, err := os.Open(filepath.Join("/proc/self/net", table))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Scan() // the head of the table
		for lines.Scan() {
			// Second is the local address, tenth the inode.
			if fields := strings.Fields(lines.Text()); len(fields) > 9 {
				all[fields[9]] = table + " " + fields[1]
			}
		}
		f.Close()
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{}
	for _, fd := range fds {
		link, err := os.Readlink(fd)
		if err != nil {
			continue // closed meanwhile
		}
		inode := strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")
		if at, ok := all[inode]; ok {
			own[inode] = at
		}
	}
	return own
}

// The engine opens no UDP socket of its own: one that was given none for uTP has none.
func TestNoDatagramIsHeard(t *testing.T) {
	before := udpSockets(t)
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	b.fetch(shared.Link, t.TempDir())
	b.waitState(shared.ID, share.Seeding)
	during := udpSockets(t)
	maps.DeleteFunc(during, func(inode, _ string) bool { return before[inode] != "" })
	if len(during) > 0 {
		t.Errorf("the engine opened %v", during)
	}

	// Such a socket would be seen.
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	if n := len(udpSockets(t)); n != len(before)+1 {
		t.Errorf("%d UDP sockets are seen, and %d before one was opened", n, len(before))
	}
}
