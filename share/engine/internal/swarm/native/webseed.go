package native

import "github.com/shoalnet/shoal/share/engine/internal/swarm/face"

// AddWebSeeds implements face.Swarm.
func (s *Swarm) AddWebSeeds([]string) {}

// WebSeeds implements face.Swarm.
func (s *Swarm) WebSeeds() []face.WebSeed { return nil }
