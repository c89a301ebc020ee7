//go:build race

package storage

import "flag"

// The race detector makes long random histories slow, and sees as much in a few.
func init() { _ = flag.Set("rapid.checks", "20") }
