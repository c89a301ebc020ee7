package index

import (
	"time"

	"github.com/shoalnet/shoal/share"
)

// Channel is a snapshot of one channel on this node: a followed one, or one of the
// node's own. Sizes are in bytes.
type Channel struct {
	ID        ChannelID `json:"key" doc:"identifier of the channel: its public key, 64 hex digits; if its link has a salt, a hash of both"`
	Name      string    `json:"name"`
	About     string    `json:"about,omitempty"`
	Link      string    `json:"link" doc:"link to follow it; for a sealed channel that this node can read, it includes the secret"`
	Sealed    bool      `json:"sealed" doc:"its name and entries can be read only with the secret in its full link; others see IDs and sizes"`
	Blind     bool      `json:"blind,omitempty" doc:"the channel is sealed, and this node does not have its secret"`
	BlindLink string    `json:"blind_link,omitempty" doc:"for a sealed channel: link for a node that mirrors it without being able to read it"`
	Own       bool      `json:"own" doc:"this node has its key"`
	Entries   int       `json:"entries" doc:"number of entries"`
	Seq       int64     `json:"seq" doc:"sequence number of the newest version seen; -1 for none"`
	Content   share.ID  `json:"content,omitzero" doc:"ID of the catalogue in use"`
	Updated   time.Time `json:"updated,omitzero" doc:"when this version arrived"`
	Mirror    int64     `json:"mirror" doc:"maximum size of the entries that are fetched automatically, in bytes; 0 fetches none"`
	// Mirrored and Left are the state of the mirror.
	Mirrored int64 `json:"mirrored,omitempty" doc:"bytes that the mirror uses"`
	Left     int   `json:"left,omitempty" doc:"entries that were not fetched because they do not fit or do not state their size"`
	Pending  bool  `json:"pending" doc:"it has unpublished changes, or a newer version is being fetched"`
	// Restoring is true from the import of its key until its earlier entries are
	// found.
	Restoring bool   `json:"restoring"`
	Error     string `json:"error,omitempty" doc:"the latest error, one sentence"`
	// ErrorText is Error for other languages.
	ErrorText *share.Text `json:"error_text,omitempty"`
}

// ChannelChange changes a channel; nil fields stay unchanged.
type ChannelChange struct {
	Name   *string `json:"name,omitempty" maxLength:"255" doc:"new name of an own channel"`
	About  *string `json:"about,omitempty" maxLength:"2000" doc:"new description of an own channel"`
	Mirror *int64  `json:"mirror,omitempty" minimum:"0" doc:"maximum size of the mirror of a followed channel, in bytes; 0 stops mirroring"`
}
