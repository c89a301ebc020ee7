// Package lab keeps to itself how a small internet is made for a test: homes with a
// router and a stateful firewall each, hosts behind them with addresses from
// 2001:db8::/32, and no IPv4 anywhere.
//
//	                      core (a router, 2001:db8::/32)
//	     ┌────────────────────┼──────────────────────┐
//	2001:db8:1::/48     2001:db8:2::/48        2001:db8:3::/48     one prefix a home
//	  router (nft)        router (nft)           router (nft)      stateful firewall
//	     │ lan              │ lan                  │ lan           one /64 a LAN
//	   alice           bob, bob's tv              carol
//
// A test reads as a sentence:
//
//	net := lab.New(t)
//	alice := net.Home("alice")
//	bob := net.Home("bob", lab.Firewalled)
//	p := alice.Start("shoal", "share", "--json", dir)
//
// Beside hosts it has what goes wrong and what is already there: lossy, slow and
// cut lines, firewalls that forget, prefixes that change, a real router's daemon
// (Router.Gateway), clients that others wrote (Host.Libtorrent, Aria2,
// Transmission, QBittorrent, RTorrent, Deluge), trackers, disks that fill up or lose power (Memory, Ext4), a
// clock that jumps for one process (Proc.SetClock), the socket that systemd
// listens at (Host.StartService), and a record of what a host sends (Host.Tap).
//
// What it promises: nothing outlives the test, not even when the test process
// is killed. Namespaces have no names, so they end with the file descriptors
// that hold them; processes get SIGKILL when the test process dies; mounts
// left by a killed test are removed by the next one. Labs of several tests and
// of several processes do not see each other.
//
// It needs Linux, root, iproute2 and nftables. Where these are missing tests
// are skipped with the reason, or fail with it where CI=true.
package lab
