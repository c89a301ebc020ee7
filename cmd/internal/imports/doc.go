// Package imports keeps to itself how other BitTorrent clients remember their transfers:
// where Transmission and qBittorrent keep torrents and resume data, in which form, and
// what they call files on disk.
//
// It only reads, and makes no file beside theirs. What it reads is bounded and checked
// like anything from a stranger. Nothing that another client says of its data is taken
// for true: what it calls complete is still to be hashed.
package imports
