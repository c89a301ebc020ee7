package door

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// maxLinks bounds the links of a node.
const maxLinks = 10_000

// Link is a web link as it is stored.
type Link struct {
	ID         string   `json:"-"`
	Capability string   `json:"capability"`
	Transfer   share.ID `json:"transfer"`
	// Added is of the transfer: a link ends with its transfer, and does not come back
	// when the same content is shared again.
	Added        time.Time `json:"added"`
	Created      time.Time `json:"created"`
	Expires      time.Time `json:"expires,omitzero"`
	MaxDownloads int       `json:"max_downloads,omitempty"`
	Downloads    int       `json:"downloads,omitempty"`
	Password     string    `json:"password,omitempty"` // PHC string
}

func (l *Link) ended(now time.Time) bool {
	return !l.Expires.IsZero() && !now.Before(l.Expires) || l.MaxDownloads > 0 && l.Downloads >= l.MaxDownloads
}

// Path is the path of the link in its URL.
func (l Link) Path() string { return prefix + l.Capability }

// Links are the web links of a node. They are stored in the table web_links of state.db.
// It is safe for concurrent use.
type Links struct {
	db  *sql.DB
	now func() time.Time

	mu      sync.Mutex
	links   map[string]*Link // by the hash of the capability
	damaged int              // records that could not be read
}

// OpenLinks reads the links from db. A record that is damaged is no link, and is counted.
func OpenLinks(db *sql.DB, now func() time.Time) (*Links, error) {
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS web_links (hash TEXT PRIMARY KEY, link TEXT NOT NULL) WITHOUT ROWID`); err != nil {
		return nil, err
	}
	rows, err := db.Query(`SELECT hash, link FROM web_links`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	s := &Links{db: db, now: now, links: map[string]*Link{}}
	for rows.Next() {
		var hash, text string
		if err := rows.Scan(&hash, &text); err != nil {
			return nil, err
		}
		l := &Link{}
		if err := json.Unmarshal([]byte(text), l); err != nil || hashOf(l.Capability) != hash || l.Created.IsZero() {
			s.damaged++
			continue
		}
		l.ID = hash[:idDigits]
		s.links[hash] = l
	}
	return s, rows.Err()
}

// Damaged is how many links could not be read.
func (s *Links) Damaged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged
}

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func newCapability() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToLower(encoding.EncodeToString(b[:]))
}

// idDigits is how many digits of the hash are the ID of a link.
const idDigits = 12

// hashOf is what a link is looked up by: how long that takes says nothing of the
// capabilities that there are.
func hashOf(capability string) string {
	sum := sha256.Sum256([]byte(capability))
	return hex.EncodeToString(sum[:])
}

// Ended reports whether a link expired or is used up.
func (s *Links) Ended(l *Link) bool { return l.ended(s.now()) }

// Any reports whether there are links.
func (s *Links) Any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.links) > 0
}

// All lists the links, oldest first.
func (s *Links) All() []Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Link, 0, len(s.links))
	for _, l := range s.links {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Link) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Add stores a new link, and gives it a capability and an ID.
func (s *Links) Add(l Link) (Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.links) >= maxLinks {
		for _, old := range s.links {
			if old.ended(now) {
				if err := s.drop(old); err != nil {
					return Link{}, err
				}
			}
		}
	}
	if len(s.links) >= maxLinks {
		return Link{}, share.Errorf(share.Failed, "there are %d web links already; end some of them first", maxLinks)
	}
	l.Capability, l.Created = newCapability(), now.UTC()
	hash := hashOf(l.Capability)
	l.ID = hash[:idDigits]
	if err := s.save(&l); err != nil {
		return Link{}, err
	}
	s.links[hash] = &l
	return l, nil
}

// Revoke ends a link.
func (s *Links) Revoke(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.byID(id)
	if l == nil {
		return share.Errorf(share.Failed, "%w: %.40q", api.ErrNoWebLink, id)
	}
	return s.drop(l)
}

// byID finds a link for its owner; mu is held.
func (s *Links) byID(id string) *Link {
	for _, l := range s.links {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// Count records a download.
func (s *Links) Count(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.byID(id)
	if l == nil {
		return nil // revoked meanwhile
	}
	l.Downloads++
	return s.save(l)
}

// find returns the link of a capability, unless it has ended.
func (s *Links) find(capability string) (Link, bool) {
	hash := hashOf(capability)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[hash]
	if l == nil || l.ended(s.now()) {
		return Link{}, false
	}
	return *l, true
}

// save stores l; mu is held.
func (s *Links) save(l *Link) error {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = s.db.Exec(`INSERT OR REPLACE INTO web_links VALUES (?, ?)`, hashOf(l.Capability), string(b))
	}
	if err != nil {
		return share.Errorf(share.Disk, "saving a web link: %w", err)
	}
	return nil
}

// drop removes a link; mu is held.
func (s *Links) drop(l *Link) error {
	hash := hashOf(l.Capability)
	if _, err := s.db.Exec(`DELETE FROM web_links WHERE hash = ?`, hash); err != nil {
		return share.Errorf(share.Disk, "removing a web link from the state: %w", err)
	}
	delete(s.links, hash)
	return nil
}
