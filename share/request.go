package share

import "time"

// ShareOptions say how a file or folder is shared. The requests of the API and of
// the engine both embed them, so that no option is lost between the two.
type ShareOptions struct {
	Name           string   `json:"name,omitempty" maxLength:"255" doc:"name in the link; if empty, the last element of the path"`
	PieceLength    int64    `json:"piece_length,omitempty" minimum:"0" doc:"bytes per piece, a power of two of at least 16 KiB; with 0, the node chooses by the size of the content"`
	FollowSymlinks bool     `json:"follow_symlinks,omitempty"`
	Exclude        []string `json:"exclude,omitempty" maxItems:"1000" doc:"globs of names, or of paths below the folder, to leave out; ** matches any number of folders, and each glob must match something"`
	Strict         bool     `json:"strict,omitempty" doc:"refuse a folder that contains something that cannot be shared, instead of leaving it out"`
	Private        bool     `json:"private,omitempty" doc:"never announce it (BEP 27)"`
	Hybrid         bool     `json:"hybrid,omitempty" doc:"also describe the content for BitTorrent v2 (BEP 52)"`
	Sealed         bool     `json:"sealed,omitempty" doc:"seal it: only those who have the key, which is in the link, can read it"`
	// Goal is nil where nothing was said; the engine then seeds forever.
	Goal   *Goal  `json:"goal,omitempty" doc:"when to stop seeding; without it, the node's setting"`
	Limits Limits `json:"limits,omitzero"`
}

// ImportOptions say how files of the user are shared under a torrent that describes
// them. The requests of the API and of the engine both embed them, so that no option
// is lost between the two.
type ImportOptions struct {
	// Files are paths with slashes below the folder, by the index of the file.
	Files map[int]string `json:"files,omitempty" maxProperties:"2000000" doc:"paths, below the folder, of the files whose names on disk differ from those in the torrent, by file number"`
	// Goal is nil where nothing was said; the engine then seeds forever.
	Goal       *Goal  `json:"goal,omitempty" doc:"when to stop seeding; without it, never"`
	Limits     Limits `json:"limits,omitzero"`
	Paused     bool   `json:"paused,omitempty" doc:"pause it as soon as its files are verified"`
	NoTrackers bool   `json:"no_trackers,omitempty"`
	// Before is the transfer's history in the other client.
	Before Past `json:"before,omitzero" doc:"its history in another client"`
}

// Past is the history of a transfer from before this node had it.
type Past struct {
	Added      time.Time `json:"added,omitzero" doc:"when it was added; without it, now"`
	Downloaded int64     `json:"downloaded,omitempty" minimum:"0" doc:"bytes"`
	Uploaded   int64     `json:"uploaded,omitempty" minimum:"0" doc:"bytes; they count towards the ratio"`
}

// Check refuses impossible figures.
func (p Past) Check() error {
	if p.Downloaded < 0 || p.Uploaded < 0 {
		return Errorf(Usage, "a transfer cannot have downloaded or uploaded less than 0 bytes")
	}
	return nil
}

// FetchOptions say how content is fetched. The requests of the API and of the
// engine both embed them, so that no option is lost between the two.
type FetchOptions struct {
	// Files are globs, see CheckGlobs. Files that match none of them are skipped.
	Files []string `json:"files,omitempty" maxItems:"1000" doc:"globs of the paths to download; empty means all"`
	// Goal is nil where nothing was said; the engine then seeds forever.
	Goal       *Goal  `json:"goal,omitempty" doc:"when to stop seeding; without it, the node's setting"`
	Limits     Limits `json:"limits,omitzero"`
	Sequential bool   `json:"sequential,omitempty" doc:"download in order"`
	Paused     bool   `json:"paused,omitempty"`
	NoTrackers bool   `json:"no_trackers,omitempty"`
	Adopt      bool   `json:"adopt,omitempty" doc:"complete files that are already there in place, if at least one of their pieces is right; without it, right files are put beside them"`
}

// Match says how much of some content is in a folder already.
type Match struct {
	Files int   `json:"files" doc:"number of files that have the names of files of the content"`
	Bytes int64 `json:"bytes" doc:"bytes of these files"`
	Right int64 `json:"right" doc:"bytes of these files in pieces that are right; 0 if the file list is unknown"`
}

// Way is one source of peers of a transfer. A time is zero if the event has not
// happened or is not planned.
type Way struct {
	Source Source    `json:"source"`
	Name   string    `json:"name,omitempty" doc:"URL of a tracker"`
	On     bool      `json:"on" doc:"the source is used for this transfer"`
	Busy   bool      `json:"busy,omitempty" doc:"a request is running"`
	Last   time.Time `json:"last,omitzero" doc:"time of the last answer"`
	Next   time.Time `json:"next,omitzero" doc:"time of the next request"`
	Found  int       `json:"found" doc:"new addresses it returned since the node started; for a tracker, the addresses in its last answer"`
	Error  string    `json:"error,omitempty" doc:"why the last attempt failed"`
	// ErrorText is Error for other languages.
	ErrorText *Text `json:"error_text,omitempty"`
}

// Check refuses negative limits.
func (l Limits) Check() error {
	if l.Down < 0 || l.Up < 0 {
		return Errorf(Usage, "a limit must not be negative; 0 is no limit")
	}
	return nil
}

// Check refuses a change to negative limits.
func (c LimitChange) Check() error { return c.Apply(Limits{}).Check() }

// Check refuses a goal that no transfer could reach or miss.
func (g Goal) Check() error {
	if !(g.Ratio >= 0) || g.For < 0 { // a ratio may be no number
		return Errorf(Usage, "a seeding goal must not be negative")
	}
	return nil
}
