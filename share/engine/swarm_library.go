//go:build !ownswarm

package engine

import (
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/library"
)

// newNetwork makes what talks to peers. With the build tag ownswarm that is our own
// swarm, so that the tests can run on it; nothing is shipped with that tag.
func newNetwork(cfg face.Config) face.Network { return library.New(cfg) }
