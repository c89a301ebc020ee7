package engine

import (
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const (
	// A seed stays live for this long after its last connection.
	coolTime = time.Minute
	// Above this number of live seeds without a connection they go to rest at once:
	// strangers can wake them by asking for one after another.
	maxIdle = 200
)

// totals are the figures of the whole node. It is owned by the loop.
type totals struct {
	sampled  time.Time // by the monotonic clock
	down, up flow.Meter
	idle     int // live seeds without a connection
}

// sample measures the rates, and returns the time since it last did.
func (s *totals) sample(now time.Time, all face.NetworkFigures) time.Duration {
	elapsed := now.Sub(s.sampled)
	s.sampled = now
	s.down.Sample(all.Down, elapsed)
	s.up.Sample(all.Up, elapsed)
	return elapsed
}

// cool is how long a seed stays live after its last connection.
func (s *totals) cool() time.Duration {
	if s.idle > maxIdle {
		return 0
	}
	return coolTime
}

// stats counts transfers, and adds what the network counts.
func (s *totals) stats(all map[share.ID]*transfer, n face.NetworkFigures) share.Stats {
	st := share.Stats{
		Downloaded: n.Down, Uploaded: n.Up, Connections: n.Open, Refused: n.Refused,
		Down: s.down.Rate(), Up: s.up.Rate(), Transfers: len(all),
		States: make(map[share.State]int, len(share.States)),
	}
	for _, state := range share.States {
		st.States[state] = 0
	}
	for _, t := range all {
		st.States[t.state()]++
	}
	return st
}
