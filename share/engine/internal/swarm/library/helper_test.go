package library

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise is bytes that follow from a name.
func noise(name string, size int) []byte {
	var seed [32]byte
	copy(seed[:], name)
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

// testConfig is that of a network that logs nothing.
func testConfig() face.Config {
	return face.Config{
		Logger: slog.New(slog.DiscardHandler), Client: "shoal test", Now: time.Now,
		Policy: netguard.Policy{AllowPrivate: true}, MaxConns: 500,
	}
}

// start starts a network that listens on loopback.
func start(t *testing.T) *Network {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Listeners = []net.Listener{l}
	c := New(cfg)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
