// Package core keeps to itself how bytes get over datagrams in order and complete
// without being in anybody's way: uTP (BEP 29) with the congestion control of
// LEDBAT (RFC 6817), as a state machine. It has no goroutine, clock, lock or
// socket: a Conn is given datagrams and the time, and hands out datagrams. One
// process can run it on a network or a thousand of them in a simulation.
//
// A datagram is a header, extensions and data. All figures are big-endian.
//
//	 0       4       8               16              24              32
//	+-------+-------+---------------+---------------+---------------+
//	| type  | ver=1 | extension     | connection id                 |
//	+-------+-------+---------------+---------------+---------------+
//	| timestamp, microseconds of the sender's clock                 |
//	+---------------------------------------------------------------+
//	| difference: receiver's clock less timestamp, of the last one  |
//	+---------------------------------------------------------------+
//	| window: bytes that the sender has room for                    |
//	+-------------------------------+-------------------------------+
//	| sequence number               | acknowledged number           |
//	+-------------------------------+-------------------------------+
//	| next extension| length        | that many bytes ...           |   for each
//	+-------------------------------+-------------------------------+
//
// Sequence numbers count datagrams. What a number stands for never changes: it is
// sent again as it was. Extension 1 is the selective acknowledgement: bit i of its
// bytes, the least significant one first, stands for the acknowledged number plus
// two plus i. Extensions that a receiver does not know are skipped.
//
// The congestion control keeps the queueing delay near a target, 40 ms, and so
// leaves the line to TCP, which fills the queue. As LEDBAT++ does, it leaves slow
// start before the target is reached, decreases by a factor, and empties the queue
// from time to time, so that every flow learns the true base delay and a latecomer
// gets its share. While there is hardly a queue, a loss says little about the line:
// the window shrinks to 0.75 of what it was, and grows as that of CUBIC does
// (RFC 9438), or by an eighth a round trip where nothing was lost for long.
//
// Other implementations ignore a packet with all its data if what it acknowledges is
// much older than what they have seen. So where a path changes the order of packets,
// the acknowledged number goes up slowly, unless the peer sends bulk data. Others also
// give a connection up without a word: a peer that owes a packet and is silent is asked,
// by a packet that it has, whether it is there. And others wait for a second or longer
// when the acknowledgement of the last packet of a small window is lost, or when too few
// packets follow a lost one to prove the loss: where packets were lost lately, both are
// repeated when bulk data pauses.
//
// Packets, and words that come only once, get lost and change their order. So a peer's
// window is what its newest packet says: the one that acknowledges most and, of these, the
// one of the latest timestamp. While a packet is not acknowledged, every timeout sends one
// that has to be answered, also if all are said to have arrived. A peer without room that
// answers is asked at the same pace for as long as it takes. The end that dialed shows that
// it got the answer until it hears more than that.
//
// A datagram grows from what every IPv6 path carries to what Ethernet does, by
// probes. A probe is an ordinary data packet with an extension as padding: when it
// is lost, its data is sent again without the padding.
package core
