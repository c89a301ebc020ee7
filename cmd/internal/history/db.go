package history

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"github.com/shoalnet/shoal/share"
)

// blockDB stores blocks in the table node_history of state.db.
type blockDB struct {
	db *sql.DB

	mu   sync.Mutex
	gone []share.ID // forgotten since the last save
}

func openBlockDB(db *sql.DB) (*blockDB, error) {
	_, err := db.Exec(`CREATE TABLE IF NOT EXISTS node_history (
		id BLOB NOT NULL, level INTEGER NOT NULL, start INTEGER NOT NULL, rates BLOB NOT NULL,
		PRIMARY KEY (id, level, start)) WITHOUT ROWID`)
	return &blockDB{db: db}, err
}

// load passes every stored block to put, oldest first.
func (d *blockDB) load(put func(*block)) error {
	rows, err := d.db.Query(`SELECT id, level, start, rates FROM node_history ORDER BY start`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		b := &block{}
		var id, rates []byte
		if err := rows.Scan(&id, &b.level, &b.start, &rates); err != nil {
			return err
		}
		if b.level < 0 || b.level >= len(levels) || !levels[b.level].kept || len(id) != len(b.id) || len(rates) != 8*levels[b.level].steps {
			continue // of another version
		}
		copy(b.id[:], id)
		for i := range levels[b.level].steps {
			b.rates = append(b.rates, pace{
				math.Float32frombits(binary.LittleEndian.Uint32(rates[8*i:])),
				math.Float32frombits(binary.LittleEndian.Uint32(rates[8*i+4:])),
			})
		}
		put(b)
	}
	return rows.Err()
}

// forget drops a transfer at the next save.
func (d *blockDB) forget(id share.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = append(d.gone, id)
}

// save writes blocks and drops those that are forgotten or too old at second.
func (d *blockDB) save(blocks []block, second int64) (err error) {
	d.mu.Lock()
	gone := d.gone
	d.gone = nil
	d.mu.Unlock()
	if len(blocks) == 0 && len(gone) == 0 {
		return nil
	}
	tx, err := d.db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	for _, id := range gone {
		if _, err = tx.Exec(`DELETE FROM node_history WHERE id = ?`, id[:]); err != nil {
			return err
		}
	}
	for _, b := range blocks {
		if _, err = tx.Exec(`INSERT OR REPLACE INTO node_history VALUES (?, ?, ?, ?)`, b.id[:], b.level, b.start, encode(b.rates)); err != nil {
			return err
		}
	}
	for level := range levels {
		if _, err = tx.Exec(`DELETE FROM node_history WHERE level = ? AND start < ?`, level, second-spanOf(level)-stepOf(level)*int64(levels[level].steps)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// encode writes down and up of each step as little-endian 32-bit floats.
func encode(rates []pace) []byte {
	out := make([]byte, 0, 8*len(rates))
	for _, r := range rates {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(r.down))
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(r.up))
	}
	return out
}
