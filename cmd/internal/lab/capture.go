//go:build linux

package lab

import (
	"bytes"
	"sync"
)

// Capture keeps all packets that pass the first interface of a host.
type Capture struct {
	mu   sync.Mutex
	data []byte
}

// Capture records from now on until the test ends.
func (h *Host) Capture() *Capture {
	h.lab.t.Helper()
	c := &Capture{}
	h.packets(func(_ bool, packet []byte) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.data = append(c.data, packet...)
	})
	return c
}

// Bytes are the packets seen so far, one after the other, each from its IP header on.
func (c *Capture) Bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.data)
}
