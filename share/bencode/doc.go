// Package bencode keeps to itself how bencoding (BEP 3) is read and written, the
// notation of torrents, trackers, peers and the DHT: how values are delimited, and
// which spellings are refused.
//
// Reader walks the input in place and allocates nothing: for torrents, info
// dictionaries and DHT datagrams. Parse makes a tree of Values, within Limits:
// for the small messages of peers and trackers. Neither can be made to panic, to
// recurse without bound, or to use more memory than the input is long.
package bencode
