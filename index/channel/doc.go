// Package channel keeps to itself how channels are published and followed: signed,
// updatable lists of shares that stay in the DHT and in their swarm as long as
// anyone follows them.
//
// A channel is an Ed25519 key and a salt. Its newest catalogue, a file of JSON
// Lines packed with zstd, is shared like anything else; a mutable item in the
// DHT (BEP 44) holds that share's ID (BEP 46):
//
//	magnet:?xs=urn:btpk:KEY&s=SALT     the channel's link
//	  -> item of KEY and SALT          {"ih": ID}, signed, with a sequence
//	  -> share of that ID              the catalogue: a header, then an entry a line
//
// The catalogue of a sealed channel begins with a second list, which can be read only with
// the secret in the channel's full link; see sealed.go. The list in clear after it has IDs,
// sizes and addresses for nodes that mirror the channel blind.
//
// A follower looks up the item periodically, fetches the catalogue from its swarm,
// and then seeds it and puts the item again, so that the publisher may be offline.
// Only items that the key signed are accepted, and never one older than an item
// seen before, across restarts.
//
// Nodes do not ask each other what they follow: there is no gossip, no flooding, and
// no lookup of a key that the user has not chosen to follow.
//
// A catalogue written by any 1.x release is read by every later one.
package channel
