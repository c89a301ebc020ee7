// Package reach knows under which IPv6 addresses this host can be called, and
// whether a stranger's call would get through.
//
// What it promises: an address is said to be reachable only after somebody from
// another network came through to it, and unreachable only after peers of two
// other networks were asked to call and could not; else the answer is that nobody
// knows. What a router or a peer says is no proof of anything.
//
//	Watcher    the addresses of this host, followed live; a Policy says which
//	           of them others may know
//	Evidence   who came through, and who could not
//	Prober     has peers call where nobody comes
//	Pinholes   has the router let strangers in, by PCP or UPnP
//	Situation  all of it, which Report judges
package reach
