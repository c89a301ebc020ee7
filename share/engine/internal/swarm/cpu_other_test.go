//go:build !unix

package swarm

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
