package share

// Streams describes the readers that play files of a transfer.
type Streams struct {
	Streams []Stream `json:"streams"`
	// Held limits all downloads that nobody plays, in bytes per second together,
	// while a player lacks data; 0 is no limit.
	Held int64 `json:"held"`
}

// Stream is a reader that plays a file. Sizes are in bytes.
type Stream struct {
	File  int   `json:"file"`  // its index
	At    int64 `json:"at"`    // position of the next read
	Ready int64 `json:"ready"` // available from there on
	Ahead int64 `json:"ahead"` // fetched first from there on
	// Pieces counts the pieces of Ahead; Missing of them have not arrived. Piece is the
	// first of these, at Ready.
	Pieces  int  `json:"pieces"`
	Missing int  `json:"missing"`
	Piece   int  `json:"piece"`
	Waits   bool `json:"waits"` // the reader is blocked until that piece has arrived
}
