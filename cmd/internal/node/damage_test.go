package node

// Promise 14: no state on disk, however damaged or new, crashes the node or is lost
// without a word. Each of these was once a nil dereference or a silent new state:
//
//	state.db truncated, emptied, missing       TestDamagedState, TestDamageOfAnyKind
//	bits flipped at random offsets             TestDamageOfAnyKind
//	a page of zeros                            TestDamageOfAnyKind
//	a journal damaged after a crash            TestDamagedJournal
//	a later schema, of any part                TestNewerState
//	a directory in place of a file             TestDamagedState, TestThingsInTheWay
//	not to be read                             TestUnreadableState
//	a full disk                                TestFullDisk (linux)
//	index.db of any kind                       TestDamageBesideTheState
//	a channel key emptied, credentials damaged TestTroublesAreTold
//	a folder of somebody else's, no HOME       TestForeignFolder, TestNoHome
//	recovering, twice, while a node runs       TestRecover..., TestDamageOfAnyKind

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// truth is what list shows of a state.
type truth map[share.ID]string

func truthOf(t *testing.T, s *Session) truth {
	t.Helper()
	all, err := s.Client.Transfers(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	is := truth{}
	for _, x := range all {
		is[x.ID] = fmt.Sprint(x.Name, x.Path, x.Own, x.Size, x.Files, x.Added.Unix())
	}
	return is
}

// sample makes a state with shares, a fetch that no peer has, and a channel. crash copies
// the state while the node runs.
func sample(t *testing.T) (dir, crashed string, is truth) {
	t.Helper()
	dir = stateDir(t)
	s := open(t, options(t, dir, nil))
	for range 5 {
		folder, _ := content(t)
		shared(t, s.Client, folder)
	}
	link, err := share.ParseLink("magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=wanted")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Fetch(testContext(t), api.FetchRequest{Link: link.String(), Output: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.AddChannel(testContext(t), api.NewChannel{Name: "films"}); err != nil {
		t.Fatal(err)
	}
	is, crashed = truthOf(t, s), stateDir(t)
	closed(t, s)
	// The state after a crash has a journal.
	s = open(t, options(t, dir, nil))
	if _, err := s.Client.SetGlobalLimits(testContext(t), share.Limits{Up: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.SetGlobalLimits(testContext(t), share.Limits{Up: 1 << 21}); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, crashed)
	if _, err := s.Client.SetGlobalLimits(testContext(t), share.Limits{}); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	return dir, crashed, is
}

func copyDir(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(at, 0o700)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(at, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// bytesOf returns every file, folder and mode below a folder, without the index of a
// journal, which SQLite makes from the journal.
func bytesOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(name, "-shm") {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		what := fi.Mode().String()
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			what += string(b)
		}
		all[name] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func unchanged(t testing.TB, dir string, before map[string]string) {
	t.Helper()
	after := bytesOf(t, dir)
	for name := range before {
		if after[name] != before[name] {
			t.Errorf("%s changed", name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was made", name)
		}
	}
}

// damage is one way to spoil a file.
type damage struct {
	what string
	do   func(r *rand.Rand, b []byte) []byte
}

var damages = []damage{
	{"truncated", func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] }},
	{"emptied", func(_ *rand.Rand, b []byte) []byte { return nil }},
	{"a bit flipped", func(r *rand.Rand, b []byte) []byte {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b
	}},
	{"bytes changed", func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(8) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		return b
	}},
	{"a page of zeros", func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b)) &^ 4095
		clear(b[at:min(at+4096, len(b))])
		return b
	}},
	{"a page of noise", func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b)) &^ 4095
		for i := at; i < min(at+4096, len(b)); i++ {
			b[i] = byte(r.Uint32())
		}
		return b
	}},
	{"grown", func(_ *rand.Rand, b []byte) []byte { return append(b, make([]byte, 4096)...) }},
}

func spoil(t testing.TB, name string, r *rand.Rand, d damage) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, d.do(r, b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// transfersOf reads what matters of the transfers of an open state.
func transfersOf(t testing.TB, db *sql.DB) string {
	t.Helper()
	rows, err := db.Query(`SELECT hex(id), kind, name, path, added, completed, size, total, files, json_remove(options, '$.verify', '$.durable')
		FROM engine_transfers ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var v, at [10]any
		for i := range v {
			at[i] = &v[i]
		}
		if err := rows.Scan(at[:]...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, v[:]...)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func rounds(short, long int) int {
	if testing.Short() {
		return short
	}
	return long
}

// Whatever happens to a closed database, opening it gives the right values, or an error
// that says what to do, and changes nothing. Recover then restores the transfers.
func TestDamageOfAnyKind(t *testing.T) {
	t.Parallel()
	dir, _, _ := sample(t)
	s, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := transfersOf(t, s.db)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for seed := range rounds(20, 150) {
		r := rand.New(rand.NewPCG(14, uint64(seed)))
		d := damages[r.IntN(len(damages))]
		at := stateDir(t)
		copyDir(t, dir, at)
		name := filepath.Join(at, stateName)
		was, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		spoil(t, name, r, d)
		now, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		before := bytesOf(t, at)
		open := openState
		if seed%2 == 0 {
			open = openCopy
		}
		s, err := open(at)
		if err == nil {
			if is := transfersOf(t, s.db); is != want || !bytes.Equal(was, now) {
				t.Errorf("seed %d, %s: opened with %s", seed, d.what, is)
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
			continue
		}
		refused++
		if share.KindOf(err) != share.Disk || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "shoal recover --state "+at) {
			t.Errorf("seed %d, %s: %v", seed, d.what, err)
		}
		unchanged(t, at, before)
		if seed%10 == 0 {
			recoversTransfers(t, at, want, now)
		}
		if t.Failed() {
			t.Fatalf("seed %d, %s", seed, d.what)
		}
	}
	if refused == 0 {
		t.Error("nothing was damaged")
	}
}

// recoversTransfers checks that Recover restores each transfer with all that matters.
func recoversTransfers(t testing.TB, dir, want string, damagedDB []byte) {
	t.Helper()
	c := &config.Config{State: dir, Downloads: filepath.Join(dir, "downloads")}
	r, err := Recover(context.Background(), c, "0.0-test", nil)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(r.Aside)
	if err != nil || !bytes.Equal(kept, damagedDB) {
		t.Errorf("the damaged state was not kept as it was: %v", err)
	}
	s, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	is := transfersOf(t, s.db)
	var hashed int
	must(t, s.db.QueryRow(`SELECT count(*) FROM engine_transfers WHERE json_extract(options, '$.verify')`).Scan(&hashed))
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if is != want {
		t.Errorf("recovered:\n%s\ninstead of:\n%s", is, want)
	}
	if hashed != 5 {
		t.Errorf("%d transfers are hashed before they are trusted, not the 5 that have data", hashed)
	}
	before := bytesOf(t, dir)
	if r, err = Recover(context.Background(), c, "0.0-test", nil); err != nil || r.Why != nil {
		t.Errorf("recovering once more: %+v, %v", r, err)
	}
	unchanged(t, dir, before)
}

// After a crash there is no checksum of the database, but its journal and structure are
// checked. Damage never causes a panic, and nothing changes.
func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	_, crashed, _ := sample(t)
	if sizeOf(filepath.Join(crashed, stateName+"-wal")) == 0 {
		t.Fatal("the crash left no journal")
	}
	at := stateDir(t)
	copyDir(t, crashed, at)
	s, err := openState(at)
	if err != nil {
		t.Fatal(err)
	}
	var up string
	if err := s.db.QueryRow(`SELECT value FROM node_values WHERE name = ?`, "limits").Scan(&up); err != nil || !strings.Contains(up, "2097152") {
		t.Errorf("what was in the journal is gone: %q, %v", up, err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	refused := 0
	for seed := range rounds(20, 150) {
		r := rand.New(rand.NewPCG(15, uint64(seed)))
		d := damages[r.IntN(len(damages))]
		at := stateDir(t)
		copyDir(t, crashed, at)
		name := stateName + []string{"", "-wal"}[seed%2]
		spoil(t, filepath.Join(at, name), r, d)
		before := bytesOf(t, at)
		s, err := openState(at)
		if err == nil {
			_ = transfersOf(t, s.db)
			if err := s.close(); err != nil {
				t.Errorf("seed %d, %s %s: closing: %v", seed, name, d.what, err)
			}
			continue
		}
		refused++
		if share.KindOf(err) != share.Disk || !errors.Is(err, ErrDamaged) {
			t.Errorf("seed %d, %s %s: %v", seed, name, d.what, err)
		}
		unchanged(t, at, before)
	}
	if refused == 0 {
		t.Error("nothing was noticed")
	}
	// A frame in the middle: everything after it would be lost without a word.
	copyDir(t, crashed, at)
	wal := filepath.Join(at, stateName+"-wal")
	spoil(t, wal, nil, damage{do: func(_ *rand.Rand, b []byte) []byte { b[32+24+100] ^= 1; return b }})
	if _, err := openState(at); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "in the middle") {
		t.Errorf("a damaged first frame: %v", err)
	}
}

func TestDamagedState(t *testing.T) {
	t.Parallel()
	dir, _, is := sample(t)
	for what, do := range map[string]func(t *testing.T, name string){
		"missing": func(t *testing.T, name string) { must(t, os.Remove(name)) },
		"empty":   func(t *testing.T, name string) { must(t, os.Truncate(name, 0)) },
		"a directory": func(t *testing.T, name string) {
			must(t, os.Remove(name))
			must(t, os.Mkdir(name, 0o700))
		},
		"text":                  func(t *testing.T, name string) { must(t, os.WriteFile(name, []byte("hello"), 0o600)) },
		"cut in the first page": func(t *testing.T, name string) { must(t, os.Truncate(name, 1000)) },
		"without a sum and cut": func(t *testing.T, name string) {
			must(t, os.Remove(filepath.Join(filepath.Dir(name), sumName)))
			must(t, os.Truncate(name, 8192))
		},
		"without a sum and with rows that make no sense": func(t *testing.T, name string) {
			exec(t, name, `UPDATE engine_transfers SET options = '{'`)
			must(t, os.Remove(filepath.Join(filepath.Dir(name), sumName)))
		},
		"an empty database": func(t *testing.T, name string) {
			must(t, os.Remove(filepath.Join(filepath.Dir(name), sumName)))
			must(t, os.Remove(name))
			exec(t, name, `CREATE TABLE x (y)`)
			exec(t, name, `DROP TABLE x`)
		},
	} {
		t.Run(what, func(t *testing.T) {
			at := stateDir(t)
			copyDir(t, dir, at)
			do(t, filepath.Join(at, stateName))
			before := bytesOf(t, at)
			for _, look := range []bool{true, false} {
				o := options(t, at, nil)
				o.Look = look
				_, err := Open(testContext(t), o)
				if share.KindOf(err) != share.Disk || !errors.Is(err, ErrDamaged) {
					t.Errorf("%v", err)
				}
				unchanged(t, at, before)
			}
			o := options(t, at, nil)
			r, err := Recover(testContext(t), o.Config, "0.0-test", nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Transfers) != len(is) || len(r.Channels) != 1 {
				t.Errorf("recovered %+v", r)
			}
			s := open(t, o)
			if diff := cmp.Diff(is, truthOf(t, s)); diff != "" {
				t.Error(diff)
			}
			channels, err := s.Client.Channels(testContext(t))
			if err != nil || len(channels) != 1 || channels[0].Name != "films" || !channels[0].Own {
				t.Errorf("channels: %+v, %v", channels, err)
			}
			for _, r := range r.Transfers {
				if r.Own {
					await(t, s.Client, r.ID, func(x share.Transfer) bool { return x.State == share.Seeding && x.Bytes == x.Total })
				}
			}
			closed(t, s)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exec changes a database like another program.
func exec(t testing.TB, name, stmt string) {
	t.Helper()
	db, err := sql.Open("sqlite", name)
	must(t, err)
	_, err = db.Exec(stmt)
	must(t, err)
	must(t, db.Close())
}

// A state of a later release is refused, whichever part changed, and the error names the
// version that can read it. Recover refuses it, too: it would lose what that release
// stored.
func TestNewerState(t *testing.T) {
	t.Parallel()
	dir, _, _ := sample(t)
	for what, stmt := range map[string]string{
		"node":     `UPDATE versions SET version = 99 WHERE package = 'node'`,
		"engine":   `UPDATE engine_schema SET version = 99`,
		"channels": `UPDATE versions SET version = 99 WHERE package = 'channel'`,
	} {
		t.Run(what, func(t *testing.T) {
			at := stateDir(t)
			copyDir(t, dir, at)
			exec(t, filepath.Join(at, stateName), `UPDATE node_values SET value = '"7.8.9"' WHERE name = 'writer'`)
			exec(t, filepath.Join(at, stateName), stmt)
			must(t, os.Remove(filepath.Join(at, sumName)))
			before := bytesOf(t, at)
			o := options(t, at, nil)
			_, err := Open(testContext(t), o)
			if share.KindOf(err) != share.Disk || !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "7.8.9") {
				t.Errorf("opening: %v", err)
			}
			if _, err := Recover(testContext(t), o.Config, "0.0-test", nil); !errors.Is(err, ErrNewer) {
				t.Errorf("recovering: %v", err)
			}
			unchanged(t, at, before)
		})
	}
}

// Whatever is damaged beside the database, the node runs and its transfers are the same.
func TestDamageBesideTheState(t *testing.T) {
	t.Parallel()
	dir, _, is := sample(t)
	ids := slices.SortedFunc(maps.Keys(is), func(a, b share.ID) int { return bytes.Compare(a[:], b[:]) })
	last := ids[len(ids)-1].String()
	files := []string{
		"index.db", "index.db", "index.db", "dht.nodes", filepath.Join(torrentsDir, last+".note"), filepath.Join(torrentsDir, last+".torrent"), sumName,
	}
	for seed := range rounds(7, 21) {
		r := rand.New(rand.NewPCG(16, uint64(seed)))
		name, d := files[seed%len(files)], damages[r.IntN(len(damages))]
		at := stateDir(t)
		copyDir(t, dir, at)
		if sizeOf(filepath.Join(at, name)) == 0 {
			must(t, os.WriteFile(filepath.Join(at, name), []byte("it was not there"), 0o600))
		}
		spoil(t, filepath.Join(at, name), r, d)
		s, err := Open(testContext(t), options(t, at, nil))
		if err != nil {
			if name != sumName || !errors.Is(err, ErrDamaged) {
				t.Errorf("%s %s: %v", name, d.what, err)
			}
			continue
		}
		got := truthOf(t, s)
		for id, want := range is {
			// Without its torrent, a transfer's number of files is not known for a while.
			if id.String() == last && strings.HasSuffix(name, ".torrent") {
				if _, ok := got[id]; !ok {
					t.Errorf("%s %s: the transfer is gone", name, d.what)
				}
			} else if got[id] != want {
				t.Errorf("%s %s: %q instead of %q", name, d.what, got[id], want)
			}
		}
		closed(t, s)
	}
}

// A folder in the place of a file, or a file in the place of a folder, is an error that
// names it, or the node runs.
func TestThingsInTheWay(t *testing.T) {
	t.Parallel()
	dir, _, is := sample(t)
	for _, name := range []string{"index.db", "dht.nodes", "credentials", sumName, lockName, torrentsDir, channelsDir, socketName} {
		t.Run(name, func(t *testing.T) {
			at := stateDir(t)
			copyDir(t, dir, at)
			in := filepath.Join(at, name)
			fi, err := os.Stat(in)
			must(t, os.RemoveAll(in))
			if err == nil && fi.IsDir() {
				must(t, os.WriteFile(in, []byte("a file"), 0o600))
			} else {
				must(t, os.MkdirAll(filepath.Join(in, "full"), 0o700))
			}
			s, err := Open(testContext(t), options(t, at, nil))
			if err != nil {
				if share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), name) {
					t.Errorf("%v", err)
				}
				return
			}
			if diff := cmp.Diff(is, truthOf(t, s)); diff != "" {
				t.Error(diff)
			}
			closed(t, s)
		})
	}
}
