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
	Boot    string    `json:"boot" doc:"identifies this start of the node"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Daemon is false where a verb runs the node for itself: it ends with the verb.
	Daemon    bool     `json:"daemon"`
	State     string   `json:"state" doc:"state directory"`
	Downloads string   `json:"downloads" doc:"default folder of downloads"`
	Uploads   string   `json:"uploads" doc:"folder of the files that browsers uploaded; a share of an entry of this folder can be removed with its files"`
	Free      int64    `json:"free" doc:"free bytes in the default folder of downloads; -1 if unknown"`
	Listen    []string `json:"listen" doc:"ADDRESS:PORT of the listeners for peers (TCP) and the DHT (UDP)"`
	Addresses []string `json:"addresses" doc:"the node's addresses as in links, best first"`
	Socket    string   `json:"socket" doc:"path of the Unix socket of this API"`
	Web       string   `json:"web" doc:"URL of the web page; empty if it is not served"`
	Problems  []string `json:"problems,omitempty" doc:"problems of the node's own files, such as channel keys and credentials, each with what to do"`
}

// ShareRequest says what to share and how.
type ShareRequest struct {
	Path string `json:"path" minLength:"1" doc:"file or folder, absolute"`
	share.ShareOptions
	Confirm bool   `json:"confirm,omitempty" doc:"share it although it is a home directory or holds one, which otherwise is a problem of type unconfirmed"`
	Lease   string `json:"lease,omitempty" maxLength:"100" doc:"ends the share when it ends, see GET /lease"`
	Keep    bool   `json:"keep,omitempty" doc:"the lease is over once the link is known: the node keeps the share"`
}

// FetchRequest says what to fetch. Exactly one of Link and Torrent must be set.
type FetchRequest struct {
	Link    string `json:"link,omitempty" maxLength:"65536" doc:"magnet link, ID, or URL of a .torrent file"`
	Torrent []byte `json:"torrent,omitempty" doc:"content of a .torrent file, base64"`
	Output  string `json:"output,omitempty" doc:"absolute path of the folder to download into; empty is the node's default"`
	share.FetchOptions
	Lease string `json:"lease,omitempty" maxLength:"100" doc:"pauses the fetch when it ends, see GET /lease"`
}

// Removal tells what is left of a transfer that was removed.
type Removal struct {
	Kept []share.Kept `json:"kept" doc:"files that stayed, and why: those that it did not make, those that were changed since, and without data those that are unfinished"`
}

// Lease is the first line of GET /lease. It lasts for as long as the answer is
// being read.
type Lease struct {
	Lease string `json:"lease"`
}

// PreviewRequest is a link or a torrent to preview.
type PreviewRequest struct {
	Link    string `json:"link,omitempty" maxLength:"65536" doc:"magnet link, ID, or URL of a .torrent file"`
	Torrent []byte `json:"torrent,omitempty" doc:"content of a .torrent file, base64"`
}

// Preview describes the content that a link or torrent names.
type Preview struct {
	ID       share.ID     `json:"id"`
	Name     string       `json:"name"`
	Size     int64        `json:"size" doc:"bytes; 0 if unknown"`
	Private  bool         `json:"private"`
	Files    []share.File `json:"files" doc:"empty if the file list is unknown"`
	Trackers []string     `json:"trackers"`
	WebSeeds []string     `json:"web_seeds"`
	Peers    []string     `json:"peers" doc:"addresses in the link"`
	Link     string       `json:"link"`
	// Present is the transfer that the node already has with this ID.
	Present *share.Transfer `json:"present,omitempty"`
	Output  string          `json:"output" doc:"folder it would be downloaded into"`
	Free    int64           `json:"free" doc:"free bytes there; -1 if unknown"`
	MinFree int64           `json:"min_free" doc:"bytes that stay free there: downloads wait below that"`
}

// MatchRequest asks what of the content is in a folder already.
type MatchRequest struct {
	PreviewRequest
	Output string `json:"output" minLength:"1" doc:"absolute path of the folder it would be downloaded into"`
}

// Room is what a fetch needs on its disk, and what is free there.
type Room struct {
	Path    string `json:"path" doc:"on the disk that is written to"`
	Needed  int64  `json:"needed" doc:"bytes that have yet to be written; 0 if the size is unknown"`
	Free    int64  `json:"free" doc:"free bytes; -1 if unknown"`
	MinFree int64  `json:"min_free" doc:"bytes that stay free: downloads wait below that"`
}

// Enough tells that what is needed fits, or that this is not known.
func (r Room) Enough() bool {
	return r.Needed <= 0 || r.Free < 0 || r.Needed <= r.Free-r.MinFree
}

// Change changes settings of a transfer; nil fields stay unchanged.
type Change struct {
	Limits *share.LimitChange `json:"limits,omitempty" doc:"bytes per second, 0 for no limit; a direction that is left out stays"`
	Goal   *share.Goal        `json:"goal,omitempty"`
}

// Limits are those of the whole node.
type Limits struct {
	share.Limits
	// Now are the limits in effect: a schedule or the adaptive limit may lower the
	// ones that were set.
	Now    share.Limits `json:"now"`
	Reason string       `json:"reason,omitempty" doc:"why now differs from the limits that were set"`
	Source string       `json:"source" doc:"source of the limits that were set"`
}

// The sources of a setting, the strongest first.
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
	Value   string   `json:"value" doc:"value in the form a user would write; a list is separated by commas"`
	Values  []string `json:"values,omitempty" doc:"elements of a list"`
	Default string   `json:"default"`
	Source  string   `json:"source" enum:"flag,environment,file,saved,default"`
	Where   string   `json:"where,omitempty" doc:"name of the flag, the variable or the file"`
	Help    string   `json:"help"`
	Live    bool     `json:"live" doc:"a change takes effect without a restart"`
	// Writable is also false if a flag, a variable or the file sets the value: they
	// override saved values.
	Writable bool `json:"writable" doc:"the API can change it"`
}

// Health says whether the node is healthy.
type Health struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems" doc:"sentences; not every problem makes the node unhealthy"`
}

// LogLine is one line of a transfer's log.
type LogLine struct {
	Time    time.Time       `json:"time"`
	Event   share.EventType `json:"event"`
	Source  share.Source    `json:"source,omitempty"`
	Count   int             `json:"count,omitempty"`
	Message string          `json:"message,omitempty"`
	File    *share.Found    `json:"file,omitempty" doc:"of the event beside: the file that was there"`
}

// SignIn is a link that signs in one browser.
type SignIn struct {
	URL string `json:"url" doc:"sign-in link; works once and expires after two minutes"`
}

// Password is the password for signing in from other machines.
type Password struct {
	Password string `json:"password" maxLength:"1000"`
}
