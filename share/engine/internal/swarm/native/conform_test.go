package native

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/conform"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConforms(t *testing.T) {
	conform.Test(t, func(cfg face.Config) face.Network { return New(cfg) })
	conform.TestV2(t, func(cfg face.Config) face.Network { return New(cfg) })
}
