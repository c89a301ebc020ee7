// Package channel publishes and follows channels: signed, updatable lists of
// what can be fetched, which live in the DHT and in the swarm for as long as
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
// Who follows a channel looks the item up now and then, fetches the catalogue
// from whoever has it, and from then on seeds it and puts the item again, so
// that the publisher need not be there. Nothing is accepted but what the key
// signed, and nothing older than what was seen before, across restarts.
//
// Nobody is asked what he follows or has: there is no gossip, no flooding, and
// no lookup of a key that the user did not ask to follow.
//
// A catalogue written by any 1.x release is read by every later one.
package channel
