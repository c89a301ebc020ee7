package library

import (
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/conform"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

func TestConforms(t *testing.T) {
	conform.Test(t, func(cfg face.Config) face.Network { return New(cfg) })
}
