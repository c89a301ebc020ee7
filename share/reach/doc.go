// Package reach keeps to itself how this host learns at which IPv6 addresses it is
// reachable: whether a stranger's new connection succeeds.
//
// Its promise: an address is reachable only after a host in another network has
// connected to it, and unreachable only after peers in two other networks were asked
// to connect and failed. Otherwise the verdict is unknown. What a router or a peer
// says proves nothing.
//
//	Watcher    follows the addresses of this host; a Policy says which of them
//	           are published
//	Evidence   records connections that succeeded and attempts that failed
//	Prober     asks peers to connect when there is no evidence
//	Pinholes   has the router open its firewall, by PCP or UPnP
//	Situation  all of these, from which Report derives its verdicts
package reach
