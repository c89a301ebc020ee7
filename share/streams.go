package share

// Streams tells how those get on who play files of a transfer.
type Streams struct {
	Streams []Stream `json:"streams"`
	// Held is how many bytes per second all downloads that are not played may take
	// together, since a player lacks data; 0 is no limit.
	Held int64 `json:"held"`
}

// Stream is a reader that plays a file. Sizes are in bytes.
type Stream struct {
	File  int   `json:"file"`  // its index
	At    int64 `json:"at"`    // where in the file is read next
	Ready int64 `json:"ready"` // what can be read from there on
	Ahead int64 `json:"ahead"` // what is fetched from there on before all else
	// Pieces is how many pieces that is, of which Missing have not arrived. Piece is the
	// first that has not, at Ready.
	Pieces  int  `json:"pieces"`
	Missing int  `json:"missing"`
	Piece   int  `json:"piece"`
	Waits   bool `json:"waits"` // the reader stands still until that piece has arrived
}
