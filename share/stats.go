package share

// Stats are the node's totals. Rates are bytes per second, counters bytes since
// the node started. The engine leaves Free and Limits to the node.
type Stats struct {
	Down        int64         `json:"down"`
	Up          int64         `json:"up"`
	Downloaded  int64         `json:"downloaded"`
	Uploaded    int64         `json:"uploaded"`
	Connections int           `json:"connections" doc:"open connections to peers"`
	Refused     int64         `json:"refused" doc:"connections refused since the node started"`
	Transfers   int           `json:"transfers"`
	States      map[State]int `json:"states" doc:"transfers by state"`
	Free        int64         `json:"free" doc:"free bytes in the default folder of downloads; -1 if unknown"`
	// Limits are the limits in effect now.
	Limits Limits `json:"limits"`
}
