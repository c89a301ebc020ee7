package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// askersPerMount is how many transfers wait for an answer of one file system at
// once. Each blocks a thread of this process while the file system hangs.
const askersPerMount = 8

// mounts bounds how much is asked of each file system at once. It is safe for
// concurrent use.
type mounts struct {
	mu     sync.Mutex
	list   []string // where file systems are mounted
	read   time.Time
	places map[string]chan struct{}
}

// enter waits for one of the places of the file system that path is on. leave gives
// it back.
func (m *mounts) enter(ctx context.Context, path string) (leave func(), err error) {
	c := m.at(path)
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// busy tells whether enter would have to wait.
func (m *mounts) busy(path string) bool {
	c := m.at(path)
	return len(c) == cap(c)
}

func (m *mounts) at(path string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.places == nil || now.Sub(m.read) > time.Minute {
		if m.places == nil {
			m.places = make(map[string]chan struct{})
		}
		m.list, m.read = mountPoints(), now
	}
	at := filepath.VolumeName(path)
	for _, p := range m.list {
		if len(p) > len(at) && (path == p || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/")) {
			at = p
		}
	}
	c := m.places[at]
	if c == nil {
		c = make(chan struct{}, askersPerMount)
		m.places[at] = c
	}
	return c
}

// mountPoints lists where file systems are mounted. It asks the kernel and not the
// file systems; on systems where that is not possible the list is empty.
func mountPoints() []string {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var list []string
	octal := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 {
			list = append(list, octal.Replace(f[4]))
		}
	}
	return list
}
