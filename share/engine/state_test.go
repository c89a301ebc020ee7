package engine

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/storage"
)

func openDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "state.db")+"?_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// writer runs s until the function it returns is called.
func writer(t *testing.T, s *state) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run(ctx, func(err error) { t.Log(err) })
	}()
	return func() { cancel(); <-ended }
}

func TestRowsAreKept(t *testing.T) {
	db := openDB(t)
	s, rows, err := openState(t.Context(), db)
	if err != nil || len(rows) != 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	stop := writer(t, s)
	want := row{
		id: share.ID{1}, kind: kindFetch, name: "näme", path: "/p", added: time.Unix(5, 6), completed: time.Unix(7, 8),
		size: 1, total: 2, files: 3, downloaded: 4, uploaded: 5, secret: share.SecretOf([share.SecretSize]byte{6}),
		options: options{
			Paused: true, Reason: "why",
			ReasonText: share.Say("complete, ratio %.3g reached", 1.5), DamageText: share.Say("%v: %d", share.Say("the disk is full"), 7), GoalDone: true, Goal: share.Goal{None: true, Ratio: 1.5, For: time.Hour},
			Limits: share.Limits{Down: 1, Up: 2}, PieceLength: 3, FollowSymlinks: true, Private: true, Hybrid: true, Sealed: true, Blind: true, Blob: "b", Unseal: true,
			Trackers: []string{"t"}, WebSeeds: []string{"w"}, Peers: []string{"p"}, Globs: []string{"g"},
			Select: []share.Range{{First: 1, Last: 2}}, Priorities: map[int]share.Priority{1: share.Skip},
			Sequential: true, Root: "r", Verify: true, Mend: true, Durable: 9, Damage: "d", Lost: true, Counted: true, Adopt: true, MaxSize: 10,
			Names: &names{V1: share.ID{1}, V2: share.V2{2}},
			Turn:  share.First, Owners: []Owner{User}, Then: User, Data: true, Only: "o", From: "f", Restart: true,
			Exclude: []string{"x"}, Strict: true, Hidden: 11, LeftOut: &share.LeftOut{Count: 1, Items: []share.Omitted{{Path: "p", Reason: "r"}}},
			Given: true, Places: map[int]string{2: "l"}, Hold: true,
		},
	}
	v := reflect.ValueOf(want.options)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("this test forgets options.%s", v.Type().Field(i).Name)
		}
	}
	if err := <-s.putNow(want); err != nil {
		t.Fatal(err)
	}
	old := row{id: share.ID{2}, kind: kindOwn, added: time.Unix(1, 0)}
	s.put(old)
	s.put(row{id: share.ID{3}, kind: kindOwn})
	s.remove(share.ID{3}, false)
	stop() // writes what is left
	_, rows, err = openState(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].id != old.id || !reflect.DeepEqual(rows[1], want) {
		t.Errorf("got %+v", rows)
	}
	s, _, err = openState(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	stop = writer(t, s)
	if err := <-s.remove(want.id, false); err != nil {
		t.Error(err)
	}
	stop()
	if _, rows, _ := openState(t.Context(), db); len(rows) != 1 {
		t.Errorf("%d rows after one was removed", len(rows))
	}
}

func TestFailedWriteIsTriedAgain(t *testing.T) {
	db := openDB(t)
	s, _, err := openState(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`ALTER TABLE engine_transfers RENAME TO elsewhere`); err != nil {
		t.Fatal(err)
	}
	stop := writer(t, s)
	defer stop()
	if err := <-s.putNow(row{id: share.ID{1}, kind: kindOwn, name: "first"}); share.KindOf(err) != share.Disk {
		t.Errorf("a failed write gives %v", err)
	}
	s.put(row{id: share.ID{1}, kind: kindOwn, name: "second"})
	if _, err := db.Exec(`ALTER TABLE elsewhere RENAME TO engine_transfers`); err != nil {
		t.Fatal(err)
	}
	if err := <-s.putNow(row{id: share.ID{2}, kind: kindOwn}); err != nil {
		t.Fatal(err)
	}
	_, rows, err := openState(t.Context(), db)
	if err != nil || len(rows) != 2 || rows[0].name != "second" {
		t.Errorf("got %+v, %v", rows, err)
	}
}

func TestLaterSchemaIsRefused(t *testing.T) {
	db := openDB(t)
	if _, _, err := openState(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE engine_schema SET version = 1000`); err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{DB: db, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("Run: %v", err)
	}
	if _, err := e.Get(share.ID{}); !errors.Is(err, ErrStopped) {
		t.Errorf("Get after a failed Run: %v", err)
	}
}

func TestLedger(t *testing.T) {
	db := openDB(t)
	if _, _, err := openState(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	l := &ledger{db: db}
	a, b := share.ID{1}, share.ID{2}
	if r, err := l.Load(t.Context(), a); r != nil || err != nil {
		t.Errorf("a record of nothing: %v, %v", r, err)
	}
	save := func(r ...storage.Record) {
		t.Helper()
		if err := l.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	save(storage.Record{ID: a, Layout: []byte("la"), Progress: []byte("p1")}, storage.Record{ID: b, Progress: []byte("x")})
	save(storage.Record{ID: a, Progress: []byte("p2")})
	save(storage.Record{ID: b, Layout: []byte("lb")})
	for id, want := range map[share.ID]string{a: "la p2", b: "lb x"} {
		r, err := l.Load(t.Context(), id)
		if err != nil || string(r.Layout)+" "+string(r.Progress) != want {
			t.Errorf("%s: %+v, %v", want, r, err)
		}
	}
	for range 2 {
		if err := l.Delete(t.Context(), a); err != nil {
			t.Error(err)
		}
	}
	if r, _ := l.Load(t.Context(), a); r != nil {
		t.Error("a deleted record is still there")
	}
}

func TestConfig(t *testing.T) {
	db := openDB(t)
	for name, c := range map[string]Config{
		"no database":    {Dir: "/x"},
		"relative":       {DB: db, Dir: "x"},
		"negative limit": {DB: db, Dir: t.TempDir(), Limits: share.Limits{Up: -1}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
