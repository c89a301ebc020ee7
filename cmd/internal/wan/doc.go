// Package wan keeps to itself how lines of the Internet are emulated on one
// machine: a router in user space that gives packets the rate, the queue, the
// delay and the loss of a line. It needs root, Linux and /dev/net/tun.
//
// Each host is a network namespace with one TUN device. A packet from a to b waits
// in a's upstream queue (FIFO, drop tail), takes the time that a's upstream rate
// gives it, is delayed by a and by b, then waits in b's downstream queue and takes
// the time of b's downstream rate. It is lost, late or doubled with the probability of
// a or of b. Three routers are on the way from a host and answer packets whose hop limit is
// used up: its own, before the queue, its provider's, behind it, and one behind its delay.
package wan
