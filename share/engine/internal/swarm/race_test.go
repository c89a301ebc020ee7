//go:build race

package swarm

// raced says that the race detector is on, which takes memory of its own.
const raced = true
