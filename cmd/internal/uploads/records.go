package uploads

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/shoalnet/shoal/share"
)

// record is a box as it is stored.
type record struct {
	ID         string    `json:"-"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Folder     string    `json:"folder"`         // absolute
	Tree       bool      `json:"tree,omitempty"` // the folder was made for the box
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	Files      int       `json:"files,omitempty"`
	Bytes      int64     `json:"bytes,omitempty"`
	MaxFiles   int       `json:"max_files"`
	MaxSize    int64     `json:"max_size,omitempty"`
	Deliveries int       `json:"deliveries,omitempty"`
	Ended      bool      `json:"ended,omitempty"`
	Key        string    `json:"key,omitempty"` // of the sender, who may ask twice for the box
}

// fileRecord is a file of a box as it is stored.
type fileRecord struct {
	ID       string    `json:"-"`
	Path     string    `json:"path"` // clean, with slashes
	Part     string    `json:"part"` // name of the part file in the folder
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
	Key      string    `json:"key,omitempty"` // of the sender, who may ask twice for the file
	Begun    time.Time `json:"begun"`
	Updated  time.Time `json:"updated"`
	Synced   int64     `json:"synced"` // bytes that are surely on the disk
	// Loose is a file of unknown size that was sent in one request: it cannot go on.
	Loose bool `json:"loose,omitempty"`
	// Placing is the name that a rename is about to give the part file, on file systems
	// without hard links.
	Placing string `json:"placing,omitempty"`
	// Of a complete file.
	Number int64  `json:"number,omitempty"`
	Stored string `json:"stored,omitempty"` // path below the folder, with slashes
	Stamp  int64  `json:"stamp,omitempty"`  // its modification time, nanoseconds since 1970
}

// records are the tables of a Store.
type records struct{ db *sql.DB }

func openRecords(db *sql.DB) (records, error) {
	for _, stmt := range [...]string{
		`CREATE TABLE IF NOT EXISTS upload_boxes (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE IF NOT EXISTS upload_files (id TEXT PRIMARY KEY, box TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID`,
		`CREATE INDEX IF NOT EXISTS upload_files_of_box ON upload_files (box)`,
	} {
		if _, err := db.Exec(stmt); err != nil {
			return records{}, err
		}
	}
	return records{db}, nil
}

// load reads everything. What is damaged is left out, and stays in the tables.
func (r records) load() (boxes map[string]*box, damaged int, err error) {
	boxes = map[string]*box{}
	err = r.each(`SELECT id, '', record FROM upload_boxes`, func(id, _, text string) {
		b := &box{record: record{ID: id}, files: map[string]*file{}}
		if json.Unmarshal([]byte(text), &b.record) != nil || b.Folder == "" {
			damaged++
			return
		}
		b.ID = id
		boxes[id] = b
	})
	if err != nil {
		return nil, 0, err
	}
	err = r.each(`SELECT id, box, record FROM upload_files`, func(id, of, text string) {
		f := &file{}
		b := boxes[of]
		if json.Unmarshal([]byte(text), &f.fileRecord) != nil || f.Part == "" || b == nil {
			damaged++
			return
		}
		f.ID, f.sent = id, f.Synced
		b.files[id] = f
	})
	return boxes, damaged, err
}

func (r records) each(query string, do func(id, box, text string)) error {
	rows, err := r.db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, of, text string
		if err := rows.Scan(&id, &of, &text); err != nil {
			return err
		}
		do(id, of, text)
	}
	return rows.Err()
}

func (r records) saveBox(b *record) error {
	return r.save(b, `INSERT OR REPLACE INTO upload_boxes (id, record) VALUES (?, ?)`, b.ID)
}

func (r records) saveFile(of string, f *fileRecord) error {
	return r.save(f, `INSERT OR REPLACE INTO upload_files (id, box, record) VALUES (?, ?, ?)`, f.ID, of)
}

func (r records) save(v any, stmt string, args ...any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = r.db.Exec(stmt, append(args, string(b))...)
	}
	if err != nil {
		return share.Errorf(share.Disk, "saving the state of an upload: %w", err)
	}
	return nil
}

func (r records) dropFile(id string) error {
	return r.exec(`DELETE FROM upload_files WHERE id = ?`, id)
}

func (r records) dropBox(id string) error {
	if err := r.exec(`DELETE FROM upload_files WHERE box = ?`, id); err != nil {
		return err
	}
	return r.exec(`DELETE FROM upload_boxes WHERE id = ?`, id)
}

func (r records) exec(stmt, id string) error {
	if _, err := r.db.Exec(stmt, id); err != nil {
		return share.Errorf(share.Disk, "removing an upload from the state: %w", err)
	}
	return nil
}
