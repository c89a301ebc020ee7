package index

// Item is arbitrary data in the DHT (BEP 44). An item with a Key is mutable: the
// holder of the private key may replace it by one with a higher Seq. An item
// without a Key is immutable and identified by the SHA-1 of its Value.
type Item struct {
	Value []byte // one bencoded value, at most 1000 bytes
	Key   ChannelID
	Salt  []byte // at most MaxSalt bytes
	Seq   int64
	Sig   [64]byte // Ed25519 over Salt, Seq and Value as BEP 44 has it
}
