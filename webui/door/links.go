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
	// Added is when the transfer was added: a link ends with its transfer, and does
	// not return when the same content is shared again.
	Added        time.Time `json:"added"`
	Created      time.Time `json:"created"`
	Expires      time.Time `json:"expires,omitzero"`
	MaxDownloads int       `json:"max_downloads,omitempty"`
	Downloads    int       `json:"downloads,omitempty"`
	Password     string    `json:"password,omitempty"` // PHC string
	// Given lists the base URLs with which the link was given out, the latest last.
	Given []string `json:"given,omitempty"`
	// Seed says that this is a web seed and not a link for people: see doc.go.
	Seed bool `json:"seed,omitempty"`
	// Receive says that people send files by the link, into the box with its ID. Such a
	// link has no transfer.
	Receive bool `json:"receive,omitempty"`
	// Lease is the lease of the command with which the link ends.
	Lease string `json:"lease,omitempty"`
}

// formerTime is how long it is known that there were links when none is left.
const formerTime = 90 * 24 * time.Hour

// maxGiven bounds the former addresses of a link that are remembered.
const maxGiven = 8

func (l *Link) ended(now time.Time) bool {
	return !l.Expires.IsZero() && !now.Before(l.Expires) || l.MaxDownloads > 0 && l.Downloads >= l.MaxDownloads
}

// Path is the path of the link in its URL.
func (l Link) Path() string {
	if l.Seed {
		return seedPrefix + l.Capability
	}
	return prefix + l.Capability
}

// Links are the web links of a node. They are stored in the table web_links of state.db.
// It is safe for concurrent use.
type Links struct {
	db  *sql.DB
	now func() time.Time

	mu      sync.Mutex
	links   map[string]*Link // by the hash of the capability
	damaged int              // records that could not be read
	ended   time.Time        // when the latest one was dropped; zero for never

	seeding sync.RWMutex // held for moments only, after mu
	seeds   map[share.ID]Link
}

// OpenLinks reads the links from db. It skips and counts damaged records.
func OpenLinks(db *sql.DB, now func() time.Time) (*Links, error) {
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS web_links (hash TEXT PRIMARY KEY, link TEXT NOT NULL) WITHOUT ROWID;
		CREATE TABLE IF NOT EXISTS web_links_ended (latest INTEGER NOT NULL)`); err != nil {
		return nil, err
	}
	s := &Links{db: db, now: now, links: map[string]*Link{}, seeds: map[share.ID]Link{}}
	var ended sql.NullInt64 // seconds since 1970
	if err := db.QueryRow(`SELECT max(latest) FROM web_links_ended`).Scan(&ended); err != nil {
		return nil, err
	}
	if ended.Valid {
		s.ended = time.Unix(ended.Int64, 0)
	}
	rows, err := db.Query(`SELECT hash, link FROM web_links`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
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
		s.put(hash, l)
	}
	return s, rows.Err()
}

// Damaged returns how many links could not be read.
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

// Ended reports whether a link has expired or is used up.
func (s *Links) Ended(l *Link) bool { return l.ended(s.now()) }

// Any reports whether there are links, or were recently: whoever opens a recent one
// should be told that it no longer works.
func (s *Links) Any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.links) > 0 || !s.ended.IsZero() && s.now().Sub(s.ended) < formerTime
}

// Seed returns the web seed of the transfer that was added at a time. It does not wait for
// the disk.
func (s *Links) Seed(id share.ID, added time.Time) (Link, bool) {
	s.seeding.RLock()
	defer s.seeding.RUnlock()
	l, ok := s.seeds[id]
	return l, ok && l.Added.Equal(added)
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

// Get returns a link by its ID.
func (s *Links) Get(id string) (Link, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.byID(id); l != nil {
		return *l, true
	}
	return Link{}, false
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
	s.put(hash, &l)
	return l, nil
}

// put keeps a link that is stored; mu is held.
func (s *Links) put(hash string, l *Link) {
	s.links[hash] = l
	if l.Seed {
		s.seeding.Lock()
		defer s.seeding.Unlock()
		s.seeds[l.Transfer] = *l
	}
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

// Give records the base URLs with which links are given out from now on.
func (s *Links) Give(bases []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := map[*Link][]string{}
	for _, l := range s.links {
		if l.Seed {
			continue // its URL is in the link of the share
		}
		given := l.Given
		for _, b := range bases {
			if !slices.Contains(given, b) {
				given = append(slices.Clip(given), b)
			}
		}
		if len(given) > len(l.Given) {
			changed[l] = given[max(0, len(given)-maxGiven):]
		}
	}
	if len(changed) == 0 {
		return nil
	}
	tx, err := s.db.Begin()
	if err != nil {
		return share.Errorf(share.Disk, "saving where web links are: %w", err)
	}
	for l, given := range changed {
		next := *l
		next.Given = given
		if err := save(tx, &next); err != nil {
			_ = tx.Rollback()
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return share.Errorf(share.Disk, "saving where web links are: %w", err)
	}
	for l, given := range changed {
		l.Given = given
	}
	return nil
}

// find returns the link or the web seed of a capability, unless it has ended.
func (s *Links) find(capability string, seed bool) (Link, bool) {
	hash := hashOf(capability)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[hash]
	if l == nil || l.Seed != seed || l.ended(s.now()) {
		return Link{}, false
	}
	return *l, true
}

// save stores l; mu is held.
func (s *Links) save(l *Link) error { return save(s.db, l) }

// execer is a database or a transaction.
type execer interface {
	Exec(query string, args ...any) (sql.Result, error)
}

func save(db execer, l *Link) error {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = db.Exec(`INSERT OR REPLACE INTO web_links VALUES (?, ?)`, hashOf(l.Capability), string(b))
	}
	if err != nil {
		return share.Errorf(share.Disk, "saving a web link: %w", err)
	}
	return nil
}

// drop removes a link; mu is held.
func (s *Links) drop(l *Link) error {
	hash, now := hashOf(l.Capability), s.now()
	tx, err := s.db.Begin()
	if err != nil {
		return share.Errorf(share.Disk, "removing a web link from the state: %w", err)
	}
	_, err = tx.Exec(`DELETE FROM web_links WHERE hash = ?`, hash)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM web_links_ended`)
	}
	if err == nil {
		_, err = tx.Exec(`INSERT INTO web_links_ended VALUES (?)`, now.Unix())
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		_ = tx.Rollback() // does nothing after a Commit
		return share.Errorf(share.Disk, "removing a web link from the state: %w", err)
	}
	s.ended = now
	delete(s.links, hash)
	if l.Seed {
		s.seeding.Lock()
		defer s.seeding.Unlock()
		if s.seeds[l.Transfer].ID == l.ID {
			delete(s.seeds, l.Transfer)
		}
	}
	return nil
}
