// Package e2e keeps to itself how the whole is tested: the binary that people run,
// in a small internet made for each test, beside clients that others wrote. It uses
// only the command line and the wire, as users and other clients do.
//
// The topology stands above each test. See cmd/internal/lab for what is needed
// to run them; SOAK=1 (make soak) runs the long versions.
package e2e
