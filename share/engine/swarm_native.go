//go:build ownswarm

package engine

import (
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/native"
)

// newNetwork makes what talks to peers: our own swarm.
func newNetwork(cfg face.Config) face.Network { return native.New(cfg) }
