package api

import (
	"time"

	"github.com/shoalnet/shoal/share"
)

// Info describes the node.
type Info struct {
	Name    string    `json:"name" doc:"shoal"`
	Version string    `json:"version" doc:"version of the program"`
	API     int       `json:"api" doc:"version of the API"`
	Boot    string    `json:"boot" doc:"changes with each start"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Daemon is false where a verb runs the node for itself: it ends with the verb.
	Daemon    bool     `json:"daemon"`
	State     string   `json:"state" doc:"state directory"`
	Downloads string   `json:"downloads" doc:"where fetched content goes unless told otherwise"`
	Uploads   string   `json:"uploads" doc:"folder there of the copies that browsers gave: what is shared right from it can be deleted with its share"`
	Free      int64    `json:"free" doc:"free bytes where fetched content goes; -1 when not known"`
	Listen    []string `json:"listen" doc:"ADDRESS:PORT that peers reach over TCP, and the DHT over UDP"`
	Addresses []string `json:"addresses" doc:"own addresses as links carry them, best first"`
	Socket    string   `json:"socket" doc:"path of the Unix socket of this API"`
	Web       string   `json:"web" doc:"URL of the web page; empty when it is not served"`
	Problems  []string `json:"problems,omitempty" doc:"what is wrong with the node's own files, each with what to do: keys of channels, credentials"`
}

// Stats are the node's totals. Rates are bytes per second, counters bytes since
// the node started.
type Stats struct {
	Down        int64               `json:"down"`
	Up          int64               `json:"up"`
	Downloaded  int64               `json:"downloaded"`
	Uploaded    int64               `json:"uploaded"`
	Connections int                 `json:"connections" doc:"open connections to peers"`
	Refused     int64               `json:"refused" doc:"connections turned away"`
	Transfers   int                 `json:"transfers"`
	States      map[share.State]int `json:"states" doc:"transfers by state"`
	Free        int64               `json:"free" doc:"free bytes where fetched content goes; -1 when not known"`
	// Limits are in force now, whatever set them.
	Limits share.Limits `json:"limits"`
}

// ShareRequest says what to publish.
type ShareRequest struct {
	Path           string       `json:"path" minLength:"1" doc:"file or folder, absolute"`
	Name           string       `json:"name,omitempty" maxLength:"255" doc:"name in the link; that of the path when empty"`
	PieceLength    int64        `json:"piece_length,omitempty" minimum:"0" doc:"bytes a piece, a power of two from 16 KiB; 0 chooses by size"`
	FollowSymlinks bool         `json:"follow_symlinks,omitempty"`
	Private        bool         `json:"private,omitempty" doc:"never announced (BEP 27)"`
	Goal           *share.Goal  `json:"goal,omitempty" doc:"when to stop seeding; the node's own when left out"`
	Limits         share.Limits `json:"limits,omitzero"`
}

// FetchRequest says what to fetch. Exactly one of Link and Torrent is needed.
type FetchRequest struct {
	Link       string       `json:"link,omitempty" maxLength:"65536" doc:"magnet link, ID, or URL of a .torrent file"`
	Torrent    []byte       `json:"torrent,omitempty" doc:"content of a .torrent file, base64"`
	Output     string       `json:"output,omitempty" doc:"folder to put it in, absolute; the node's downloads when empty"`
	Files      []string     `json:"files,omitempty" maxItems:"1000" doc:"globs over the paths inside; all when empty"`
	Goal       *share.Goal  `json:"goal,omitempty" doc:"when to stop seeding; the node's own when left out"`
	Limits     share.Limits `json:"limits,omitzero"`
	Sequential bool         `json:"sequential,omitempty" doc:"fetch in order"`
	Paused     bool         `json:"paused,omitempty"`
	NoTrackers bool         `json:"no_trackers,omitempty"`
}

// PreviewRequest is a link or a torrent to look at.
type PreviewRequest struct {
	Link    string `json:"link,omitempty" maxLength:"65536" doc:"magnet link, ID, or URL of a .torrent file"`
	Torrent []byte `json:"torrent,omitempty" doc:"content of a .torrent file, base64"`
}

// Preview tells what a link or torrent would fetch.
type Preview struct {
	ID       share.ID     `json:"id"`
	Name     string       `json:"name"`
	Size     int64        `json:"size" doc:"bytes; 0 when not known"`
	Private  bool         `json:"private"`
	Files    []share.File `json:"files" doc:"empty when only the link is known"`
	Trackers []string     `json:"trackers"`
	WebSeeds []string     `json:"web_seeds"`
	Peers    []string     `json:"peers" doc:"addresses in the link"`
	Link     string       `json:"link"`
	// Present is the transfer that is here already under this ID.
	Present *share.Transfer `json:"present,omitempty"`
	Output  string          `json:"output" doc:"where it would go"`
	Free    int64           `json:"free" doc:"free bytes there; -1 when not known"`
}

// Change changes settings of a transfer; what is left out stays.
type Change struct {
	Limits *share.Limits `json:"limits,omitempty"`
	Goal   *share.Goal   `json:"goal,omitempty"`
}

// Limits are those of the whole node.
type Limits struct {
	share.Limits
	// Now are in force at this moment: a schedule or the adaptive limit may
	// make them lower than the ones set.
	Now    share.Limits `json:"now"`
	Reason string       `json:"reason,omitempty" doc:"why they differ from the ones set"`
	Source string       `json:"source" doc:"where the ones set come from"`
}

// The sources of a setting, in the order of their strength.
const (
	SourceFlag    = "flag"
	SourceEnv     = "environment"
	SourceFile    = "file"
	SourceSaved   = "saved" // set while running, kept in the state
	SourceDefault = "default"
)

// Setting is one setting of the node with its value and where that came from.
type Setting struct {
	Name    string   `json:"name"`
	Value   string   `json:"value" doc:"as it would be written; elements of a list by commas"`
	Values  []string `json:"values,omitempty" doc:"the elements where it is a list"`
	Default string   `json:"default"`
	Source  string   `json:"source" enum:"flag,environment,file,saved,default"`
	Where   string   `json:"where,omitempty" doc:"the flag, the variable or the file"`
	Help    string   `json:"help"`
	Live    bool     `json:"live" doc:"a change takes effect without a restart"`
	// Writable is false, too, where a flag, a variable or the file says what
	// the value is: those are stronger than what is kept in the state.
	Writable bool `json:"writable" doc:"the API can change it"`
}

// Health is the answer to whether the node does its work.
type Health struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems" doc:"plain sentences; what is wrong does not always make the node unhealthy"`
}

// LogLine is one line of a transfer's log.
type LogLine struct {
	Time    time.Time       `json:"time"`
	Event   share.EventType `json:"event"`
	Source  share.Source    `json:"source,omitempty"`
	Count   int             `json:"count,omitempty"`
	Message string          `json:"message,omitempty"`
}

// SignIn is a link that signs one browser in.
type SignIn struct {
	URL string `json:"url" doc:"valid once, for a short while"`
}

// Password lets people sign in to the page from elsewhere.
type Password struct {
	Password string `json:"password" maxLength:"1000"`
}
