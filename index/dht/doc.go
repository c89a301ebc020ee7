// Package dht keeps to itself how the BitTorrent DHT works: its Node finds the
// peers of an ID, announces what this node has, and stores small signed items,
// without a server. It speaks BEP 5, 32, 33, 42, 43 and 44, over IPv6 only.
//
// What it promises:
//   - No datagram ends the process, hangs it, or makes it use unbounded memory.
//   - To an address that has not proven that it receives what we send, it sends
//     at most three times the bytes it got from there. An address proves itself
//     by answering our query with its random transaction id, or by showing a
//     token we sent it.
//   - A mutable item is accepted only with a valid signature, and while this
//     process runs never in place of one with a higher sequence.
//   - Replies leave from the address the query came to.
//   - What is announced stays announced: through restarts of other nodes,
//     changes of our address, and times without network.
//
// The parts, under internal: krpc reads and writes datagrams; nodeid is the key
// space; table is the routing table; lookup is one search; peers and items are what
// other nodes stored here; token, limit, recent and fair bound all of this and
// prevent abuse. core joins them into a state machine without clock or socket, and
// sim runs thousands of cores in one process. This package gives a core its
// sockets, its time and its disk.
package dht
