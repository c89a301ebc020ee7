// Package e2e tests the whole: the binary that people run, in small internets
// made for each test, beside clients that others wrote. Only the command line
// and the wire are used, as users and other clients use them.
//
// The topology stands above each test. See cmd/internal/lab for what is needed
// to run them; SOAK=1 (make soak) runs the long versions.
package e2e
