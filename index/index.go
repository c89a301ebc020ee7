// Package index keeps nothing to itself: it is the vocabulary for finding content,
// namely entries of a catalogue, queries and channel IDs. Like package share it
// contains only types and the code to parse and print them.
//
// The text and link forms of a ChannelID printed by any 1.x release are read by
// every later one.
package index

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Sentinel errors that callers test for.
var (
	// ErrUnknown is wrapped by the error for an unknown channel or entry.
	ErrUnknown = errors.New("not in the index")
	// ErrStale is wrapped by the error for an item or catalogue that is older
	// than one already seen.
	ErrStale = errors.New("older than what is known")
	// ErrForged is wrapped by the error for an item whose signature is wrong.
	ErrForged = errors.New("the signature is wrong")
)

// ChannelID names a channel: an Ed25519 public key (BEP 44, 46). Its text form
// is 64 lower-case hex digits.
type ChannelID [ed25519.PublicKeySize]byte

// ParseChannelID reads 64 hex digits in either case. Errors are share.Refused.
func ParseChannelID(s string) (ChannelID, error) {
	var id ChannelID
	if len(s) != 2*len(id) {
		return id, share.Errorf(share.Refused, "the key of a channel has %d hex digits, but this one has %d characters", 2*len(id), len(s))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ChannelID{}, share.Errorf(share.Refused, "the key of a channel has only hex digits: %w", err)
	}
	return id, nil
}

func (id ChannelID) String() string { return hex.EncodeToString(id[:]) }

// Short is the first eight hex digits, for people.
func (id ChannelID) Short() string { return id.String()[:8] }

// IsZero reports whether id is the zero ID.
func (id ChannelID) IsZero() bool { return id == ChannelID{} }

// MarshalText writes 64 hex digits.
func (id ChannelID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ChannelID) UnmarshalText(b []byte) error {
	v, err := ParseChannelID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// MaxSalt is the most bytes a salt may have (BEP 44).
const MaxSalt = 64

// ChannelLink identifies a channel: its key, and a salt if the key has several
// channels. The link form is that of BEP 46 and, for a sealed channel, the secret that
// opens its sealed list:
//
//	magnet:?xs=urn:btpk:KEY [&s=SALT] [&dn=NAME] [&x.k=SECRET]
//
// KEY, SALT and SECRET are hex.
type ChannelLink struct {
	ID   ChannelID `json:"key"`
	Salt []byte    `json:"salt,omitempty"`
	// Name is the channel's name in the link. Clean it before display.
	Name string `json:"name,omitempty"`
	// Secret opens the sealed list. Only Reveal prints it.
	Secret share.Secret `json:"-"`
}

const keyURN = "urn:btpk:"

// ParseChannelLink reads the link form, or a bare key. Errors are
// share.Refused.
func ParseChannelLink(s string) (ChannelLink, error) {
	s = strings.TrimSpace(s)
	if len(s) > share.MaxLink {
		return ChannelLink{}, share.Errorf(share.Refused, "the link of a channel has at most %d bytes", share.MaxLink)
	}
	scheme, query, ok := strings.Cut(s, ":?")
	if !ok {
		id, err := ParseChannelID(s)
		return ChannelLink{ID: id}, err
	}
	if !strings.EqualFold(scheme, "magnet") {
		return ChannelLink{}, share.Errorf(share.Refused, "the link of a channel starts with magnet:?, but this one starts with %.10q", scheme)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return ChannelLink{}, share.Errorf(share.Refused, "reading the link of a channel: %w", err)
	}
	xs := values.Get("xs")
	if len(xs) < len(keyURN) || !strings.EqualFold(xs[:len(keyURN)], keyURN) {
		return ChannelLink{}, share.Errorf(share.Refused, "the link does not name a channel: xs=%s is missing", keyURN)
	}
	l := ChannelLink{Name: values.Get("dn")}
	if l.ID, err = ParseChannelID(xs[len(keyURN):]); err != nil {
		return ChannelLink{}, err
	}
	salt, err := hex.DecodeString(values.Get("s"))
	if err != nil {
		return ChannelLink{}, share.Errorf(share.Refused, "the salt in the link of a channel: %w", err)
	}
	if len(salt) > MaxSalt {
		return ChannelLink{}, share.Errorf(share.Refused, "a salt has at most %d bytes, but this one has %d", MaxSalt, len(salt))
	}
	if len(salt) > 0 {
		l.Salt = salt
	}
	for name, all := range values {
		if !strings.EqualFold(name, secretParam) {
			continue
		}
		for _, v := range all {
			secret, err := share.ParseSecret(strings.Join(strings.Fields(v), ""))
			if err != nil {
				return ChannelLink{}, fmt.Errorf("reading the link of a channel: %w", err)
			}
			if !l.Secret.IsZero() && l.Secret != secret {
				return ChannelLink{}, share.Errorf(share.Refused, "the link of the channel has two different secrets")
			}
			l.Secret = secret
		}
	}
	return l, nil
}

// secretParam is the parameter with the secret of a sealed channel. As in links of
// content, a damaged one refuses the link.
const secretParam = "x.k"

// Local is the ID of the channel on this node: its key or, if the link has a salt,
// the SHA-256 of key and salt, so that several channels of one key have different
// IDs.
func (l ChannelLink) Local() ChannelID {
	if len(l.Salt) == 0 {
		return l.ID
	}
	return sha256.Sum256(append(l.ID[:len(l.ID):len(l.ID)], l.Salt...))
}

// Blind is l for a node that mirrors a sealed channel and must not read it: without the
// secret and the name.
func (l ChannelLink) Blind() ChannelLink {
	return ChannelLink{ID: l.ID, Salt: l.Salt}
}

// Reveal is the link form with the secret of a sealed channel. It is only for somebody
// who may read the channel, never for a log or error.
func (l ChannelLink) Reveal() string {
	if l.Secret.IsZero() {
		return l.String()
	}
	return l.String() + "&" + secretParam + "=" + l.Secret.Reveal()
}

// String is the link form without the secret of a sealed channel.
func (l ChannelLink) String() string {
	s := "magnet:?xs=" + keyURN + l.ID.String()
	if len(l.Salt) > 0 {
		s += "&s=" + hex.EncodeToString(l.Salt)
	}
	if l.Name != "" {
		s += "&dn=" + strings.ReplaceAll(url.QueryEscape(l.Name), "+", "%20")
	}
	return s
}

// Entry describes one content in a catalogue.
type Entry struct {
	ID    share.ID  `json:"id"`
	Name  string    `json:"name"`
	Link  string    `json:"link"`
	Bytes int64     `json:"bytes"`
	Files []File    `json:"files,omitempty"`
	About string    `json:"about,omitempty"`
	Tags  []string  `json:"tags,omitempty"`
	Time  time.Time `json:"time,omitzero"` // when it was added to the catalogue
	// Sealed says that the content can be read only with its key, which is in Link.
	// Without it this node cannot read the entry, and Name is empty.
	Sealed bool `json:"sealed,omitempty" doc:"the content is sealed and can be read only with its key: the key is in its link, or this node does not have it and the name is empty"`
	// Channel is the ID of the entry's channel (see ChannelLink.Local), zero for
	// a transfer of this node.
	Channel ChannelID `json:"channel,omitzero"`
}

// File is one file of an entry.
type File struct {
	Path string `json:"path"` // with slashes, relative to the content's own folder
	Size int64  `json:"size"` // bytes
}

// Query is a search of a catalogue. Text is in the query language; the other fields
// filter the results and select a page of them.
type Query struct {
	Text    string    `json:"query"`
	Channel ChannelID `json:"channel,omitzero"` // zero: everywhere
	Limit   int       `json:"limit,omitempty"`  // 0: the catalogue's default
	Offset  int       `json:"offset,omitempty"`
	// Names are the names of the channels, which Text may use.
	Names map[ChannelID]string `json:"-"`
}

// Hit is an entry that matches a query.
type Hit struct {
	Entry
	// Snippet is the part that matched, with the matches between SnippetStart and
	// SnippetEnd. Otherwise it is plain text: escape it.
	Snippet string  `json:"snippet,omitempty"`
	Rank    float64 `json:"rank"` // higher is better; comparable within one answer
}

// The marks around a match in Hit.Snippet: control characters, which cleaned text
// never contains.
const (
	SnippetStart = "\x02"
	SnippetEnd   = "\x03"
)

// Results are the hits of one query, best first.
type Results struct {
	Hits []Hit `json:"hits"`
	// Total is the number of ranked matches: the newest ones, at most 800.
	Total int `json:"total" doc:"number of ranked matches, the newest 800 at most; limit and offset select from these"`
	// More says that there are older matches that were not ranked.
	More bool `json:"more" doc:"there are more matches than total; narrow the search with another word or filter"`
}

// Unknown returns an error with only the given text, of kind share.Failed, that
// wraps ErrUnknown.
func Unknown(says string) error {
	return &share.Error{Kind: share.Failed, Err: unknown(says)}
}

type unknown string

func (u unknown) Error() string { return string(u) }

func (unknown) Unwrap() error { return ErrUnknown }
