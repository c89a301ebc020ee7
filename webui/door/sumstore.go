package door

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Sums keeps the checksums of the files of transfers across restarts, in the table web_sums
// of state.db. They are a cache: a damaged record is ignored. A record has
//
//	1, for each file in order: varint of how much its index is above the last, CRC-32 (4);
//	first 16 bytes of the SHA-256 of the ID and all that
type Sums struct {
	db  *sql.DB
	now func() time.Time
}

const (
	sumsFormat = 1
	checkSize  = 16
	// maxKept bounds the records in bytes; each sum has five or a few more.
	maxKept = maxSums * 6
)

// OpenSums makes the table if there is none.
func OpenSums(db *sql.DB, now func() time.Time) (*Sums, error) {
	_, err := db.Exec(`CREATE TABLE IF NOT EXISTS web_sums (id TEXT PRIMARY KEY, used INTEGER NOT NULL, sums BLOB NOT NULL) WITHOUT ROWID`)
	return &Sums{db, now}, err
}

// load returns what is kept of a transfer: the sums by the index of the file.
func (s *Sums) load(id share.ID) (map[int]uint32, error) {
	var b []byte
	err := s.db.QueryRow(`SELECT sums FROM web_sums WHERE id = ?`, id.String()).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sums, ok := decodeSums(id, b)
	if !ok {
		return nil, errors.New("the record is damaged")
	}
	return sums, nil
}

// save replaces what is kept of a transfer. When there is too much, it drops what was not
// used for longest.
func (s *Sums) save(id share.ID, sums map[int]uint32) error {
	b := encodeSums(id, sums)
	if len(b) > maxKept {
		return fmt.Errorf("%d checksums are too many", len(sums))
	}
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`INSERT OR REPLACE INTO web_sums VALUES (?, ?, ?)`, id.String(), s.now().Unix(), b); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM web_sums WHERE id IN (
		SELECT id FROM (SELECT id, SUM(LENGTH(sums)) OVER (ORDER BY id = ? DESC, used DESC, id) AS upto FROM web_sums) WHERE upto > ?)`,
		id.String(), maxKept); err != nil {
		return err
	}
	return tx.Commit()
}

// drop forgets a transfer.
func (s *Sums) drop(id share.ID) error {
	_, err := s.db.Exec(`DELETE FROM web_sums WHERE id = ?`, id.String())
	return err
}

func checkOf(id share.ID, b []byte) []byte {
	h := sha256.New()
	h.Write(id[:])
	h.Write(b)
	return h.Sum(nil)[:checkSize]
}

func encodeSums(id share.ID, sums map[int]uint32) []byte {
	b := []byte{sumsFormat}
	last := 0
	for _, i := range slices.Sorted(maps.Keys(sums)) {
		b = binary.AppendUvarint(b, uint64(i-last))
		b = binary.BigEndian.AppendUint32(b, sums[i])
		last = i
	}
	return append(b, checkOf(id, b)...)
}

func decodeSums(id share.ID, b []byte) (map[int]uint32, bool) {
	if len(b) < 1+checkSize || b[0] != sumsFormat {
		return nil, false
	}
	b, check := b[:len(b)-checkSize], b[len(b)-checkSize:]
	if string(checkOf(id, b)) != string(check) {
		return nil, false
	}
	sums := map[int]uint32{}
	at := 0
	for b = b[1:]; len(b) > 0; {
		step, n := binary.Uvarint(b)
		const most = 1<<31 - 1
		if n <= 0 || len(b) < n+4 || step > most || at > most-int(step) {
			return nil, false
		}
		at += int(step)
		sums[at] = binary.BigEndian.Uint32(b[n:])
		b = b[n+4:]
	}
	return sums, true
}
