package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
)

// Why a state directory cannot be used. Each is wrapped by an error of kind share.Disk
// that says what to do. Nothing was changed.
var (
	// ErrDamaged: shoal recover repairs it.
	ErrDamaged = errors.New("the state is damaged")
	// ErrNewer: a later release can use it.
	ErrNewer = errors.New("the state was written by a later version of shoal")
)

func damaged(dir, format string, args ...any) error {
	verb := "shoal recover"
	if dir != config.DefaultState() {
		verb += " --state " + dir
	}
	return share.Errorf(share.Disk, "%w: %w; nothing was changed (%s rebuilds it from what is kept beside it)", ErrDamaged, fmt.Errorf(format, args...), verb)
}

// inspect reports whether a database can be used, before anything may change it. fresh
// means that there is none and that there never was. deep reads the whole database, also
// if its checksum is right.
func inspect(ctx context.Context, dir string, deep bool) (fresh bool, err error) {
	c, err := survey(dir)
	if err != nil {
		return false, err
	}
	name := filepath.Join(dir, stateName)
	fi, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.torrents+c.keys > 0:
		return false, damaged(dir, "%s is missing, but there are %s", name, c.kept())
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, share.Errorf(share.Disk, "opening the state: %w", err)
	case !fi.Mode().IsRegular():
		return false, damaged(dir, "%s is not a file", name)
	case fi.Size() == 0 && c.torrents+c.keys > 0:
		return false, damaged(dir, "%s is empty, but there are %s", name, c.kept())
	case fi.Size() == 0 && sizeOf(name+"-wal") == 0:
		return true, nil
	}
	if err := checkHeader(dir, name); err != nil {
		return false, err
	}
	hot := sizeOf(name+"-wal") > 0
	sealed := false
	if hot {
		err = checkJournal(dir, name+"-wal")
	} else {
		sealed, err = checkSum(dir, name)
	}
	if err != nil {
		return false, err
	}
	if err := checkTables(ctx, dir, name, hot, sealed && !deep); err != nil {
		return false, openingError(dir, err)
	}
	return false, nil
}

func sizeOf(name string) int64 {
	if fi, err := os.Stat(name); err == nil && fi.Mode().IsRegular() {
		return fi.Size()
	}
	return 0
}

// checkHeader checks the first bytes. SQLite accepts any page size for a file that does
// not begin like a database.
func checkHeader(dir, name string) error {
	const magic = "SQLite format 3\x00"
	f, err := os.Open(name)
	if err != nil {
		return share.Errorf(share.Disk, "opening the state: %w", err)
	}
	defer f.Close()
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return share.Errorf(share.Disk, "reading the state: %w", err)
	}
	if string(head) != magic {
		return damaged(dir, "%s is not a database", name)
	}
	return nil
}

// checkTables reads the versions of the database, and all of it if no checksum proves
// that it is intact. It changes nothing.
func checkTables(ctx context.Context, dir, name string, hot, sealed bool) error {
	db, done, err := readOnly(name, hot)
	if err != nil {
		return err
	}
	defer done()
	var tables, ours int
	if err := db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(name = 'versions'), 0) FROM sqlite_schema`).Scan(&tables, &ours); err != nil {
		return err
	}
	switch {
	case tables == 0:
		if torrents, keys := countKept(dir); torrents+keys > 0 {
			return damaged(dir, "%s has no tables, but there is something in %s or %s", name, torrentsDir, channelsDir)
		}
		return nil
	case ours == 0:
		return damaged(dir, "%s is not a database of shoal, or lacks its first table", name)
	}
	if !sealed {
		var result string
		if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&result); err != nil {
			return err
		}
		if result != "ok" {
			return damaged(dir, "%s: %s", name, result)
		}
	}
	for _, check := range [...]func(context.Context, *sql.DB, bool) error{checkNode, engine.CheckState, channel.CheckState} {
		if err := check(ctx, db, !sealed); err != nil {
			if _, ok := errors.AsType[*sqlite.Error](err); !ok && !newer(err) {
				return damaged(dir, "%s: %w", name, err)
			}
			return byWriter(ctx, db, err)
		}
	}
	return nil
}

// readOnly opens a database so that nothing on the disk changes; done closes it. hot says
// that the database has a journal.
func readOnly(name string, hot bool) (db *sql.DB, done func(), err error) {
	params := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}}
	made := false
	if !hot {
		params.Set("immutable", "1") // else SQLite makes files of a journal
	} else if _, err := os.Stat(name + "-shm"); errors.Is(err, fs.ErrNotExist) {
		made = true
	}
	if db, err = sql.Open("sqlite", dsn(name, params)); err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	return db, func() {
		db.Close()
		if made {
			os.Remove(name + "-shm")
		}
	}, nil
}

func checkNode(ctx context.Context, db *sql.DB, _ bool) error {
	var version int
	err := db.QueryRowContext(ctx, `SELECT version FROM versions WHERE package = 'node'`).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows): // it was never completed
		return nil
	case err != nil:
		return err
	case version > nodeSchema:
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, version, nodeSchema)
	}
	return nil
}

// byWriter adds which version wrote a state that is too new.
func byWriter(ctx context.Context, db *sql.DB, err error) error {
	if !newer(err) {
		return err
	}
	var text, version string
	if qerr := db.QueryRowContext(ctx, `SELECT value FROM node_values WHERE name = ?`, writerName).Scan(&text); qerr == nil &&
		json.Unmarshal([]byte(text), &version) == nil {
		return fmt.Errorf("%w; it was written by shoal %.40q", err, version)
	}
	return err
}

func newer(err error) bool {
	return errors.Is(err, ErrNewer) || errors.Is(err, engine.ErrNewer) || errors.Is(err, channel.ErrNewer)
}

// writerName is the name of the value that says which version wrote the state last.
const writerName = "writer"

// sign records which version writes from now on.
func (s *state) sign(version string) error {
	var was string
	if ok, err := s.Load(writerName, &was); err != nil || ok && was == version {
		return err
	}
	return s.Save(writerName, version)
}

// Primary result codes of SQLite.
const (
	codeError   = 1 // a table or column is missing
	codeIO      = 10
	codeCorrupt = 11
	codeFull    = 13
	codeNotADB  = 26
	codeMask    = 0xff
)

// openingError says what is wrong with a state and what to do.
func openingError(dir string, err error) error {
	if errors.Is(err, ErrDamaged) {
		return err
	}
	if newer(err) {
		if !errors.Is(err, ErrNewer) {
			err = fmt.Errorf("%w: %w", ErrNewer, err)
		}
		return share.Errorf(share.Disk, "%w; nothing was changed: use that version or a later one for %s", err, dir)
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return share.Errorf(share.Disk, "opening the state: %w", err)
	}
	switch free := policy.FreeAt(dir); {
	case e.Code()&codeMask == codeCorrupt, e.Code()&codeMask == codeNotADB, e.Code()&codeMask == codeError:
		return damaged(dir, "%s: %w", filepath.Join(dir, stateName), err)
	case e.Code()&codeMask == codeFull, e.Code()&codeMask == codeIO && free >= 0 && free < 1<<20:
		return share.Errorf(share.Disk, "opening the state: the disk of %s is full; free some space there and try again: %w", dir, err)
	case e.Code()&codeMask == codeIO:
		return share.Errorf(share.Disk, "opening the state: the disk of %s fails: %w", dir, err)
	}
	return share.Errorf(share.Disk, "opening the state in %s: %w; check that it can be read and written", dir, err)
}

// sumName is the file with the checksum that state.db had when a node closed it. SQLite
// finds damage to the structure of a database, but not to its values.
const sumName = "state.sum"

// sumHead is the first line of that file.
const sumHead = "shoal state 1 sha256 "

func sumOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%x\n", sumHead, h.Sum(nil)), nil
}

// checkSum compares a database without a journal with its checksum. ok is false if there
// is no checksum, as after a crash.
func checkSum(dir, name string) (ok bool, err error) {
	want, err := os.ReadFile(filepath.Join(dir, sumName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, share.Errorf(share.Disk, "opening the state: %w", err)
	}
	if !bytes.HasPrefix(want, []byte(sumHead)) {
		return false, nil // of another version, or incomplete
	}
	is, err := sumOf(name)
	if err != nil {
		return false, share.Errorf(share.Disk, "opening the state: %w", err)
	}
	if is != string(want) {
		return false, damaged(dir, "%s is not what was there when a node last closed it (where it was put back from a copy on purpose, remove %s)",
			name, filepath.Join(dir, sumName))
	}
	return true, nil
}

// seal closes the database and stores its checksum, if anything was written.
func (s *state) seal() error {
	name, sum := filepath.Join(s.dir, stateName), filepath.Join(s.dir, sumName)
	_, err := os.Stat(sum)
	if sizeOf(name+"-wal") == 0 && err == nil {
		return s.db.Close()
	}
	// Removed before it is wrong: a crash between the two must not look like damage.
	if err == nil {
		if err := os.Remove(sum); err != nil {
			return errors.Join(err, s.db.Close())
		}
		if err := syncDir(s.dir); err != nil {
			return errors.Join(err, s.db.Close())
		}
	}
	if err := s.db.Close(); err != nil {
		return err
	}
	if sizeOf(name+"-wal") > 0 { // SQLite could not empty it: the next node does
		return nil
	}
	is, err := sumOf(name)
	if err != nil {
		return err
	}
	return writeWhole(sum, []byte(is))
}

// writeWhole writes a file completely, or not at all.
func writeWhole(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// checkJournal looks for damage to a journal that a crash left. SQLite does not report
// it, but takes the first frame that is wrong for the end. A power cut damages only the
// last transaction, since each is synced before the next one begins. See "WAL format" in
// the documentation of SQLite.
func checkJournal(dir, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return share.Errorf(share.Disk, "opening the state: %w", err)
	}
	const headSize, frameHead = 32, 24
	if len(b) < headSize || bytes.Equal(b[:headSize], make([]byte, headSize)) {
		return nil // too short for a header: nothing was in it
	}
	magic, page := binary.BigEndian.Uint32(b), int(binary.BigEndian.Uint32(b[8:]))
	var order binary.ByteOrder = binary.LittleEndian
	if magic&1 != 0 {
		order = binary.BigEndian
	}
	s0, s1 := journalSum(order, 0, 0, b[:24])
	if magic&^1 != 0x377f0682 || page < 512 || page > 65536 || s0 != binary.BigEndian.Uint32(b[24:]) || s1 != binary.BigEndian.Uint32(b[28:]) {
		return damaged(dir, "%s, the journal of the last changes, does not begin as one", name)
	}
	salt, broken, commits := b[16:24], false, 0
	for b = b[headSize:]; len(b) >= frameHead+page; b = b[frameHead+page:] {
		if !bytes.Equal(b[8:16], salt) {
			broken = true // or the rest is of an earlier use of the file
			continue
		}
		if !broken {
			s0, s1 = journalSum(order, s0, s1, b[:8])
			s0, s1 = journalSum(order, s0, s1, b[frameHead:frameHead+page])
			broken = s0 != binary.BigEndian.Uint32(b[16:]) || s1 != binary.BigEndian.Uint32(b[20:])
		}
		if broken && binary.BigEndian.Uint32(b[4:]) != 0 {
			commits++
		}
	}
	if commits > 1 {
		return damaged(dir, "%s, the journal of the last changes, is damaged in the middle", name)
	}
	return nil
}

func journalSum(order binary.ByteOrder, s0, s1 uint32, b []byte) (uint32, uint32) {
	for ; len(b) >= 8; b = b[8:] {
		s0 += order.Uint32(b) + s1
		s1 += order.Uint32(b[4:]) + s0
	}
	return s0, s1
}
