package engine

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const half = 40 << 20 / 2

// bigFile shares one file of 40 MiB.
func bigFile(t *testing.T, a *node) (share.Transfer, []byte) {
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"big.bin": 2 * half})
	return a.share(filepath.Join(dir, "big.bin")), content("big.bin", 2*half)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// keptRow is what the state of a node that has ended says of a transfer.
func keptRow(t *testing.T, state string, id share.ID) row {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(state, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := queryRows(t.Context(), db, `WHERE id = ?`, id[:])
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	return rows[0]
}

func TestRestartResumes(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	shared, want := bigFile(t, a)
	state, dst := t.TempDir(), t.TempDir()
	b := startNode(t, state)
	// Slow enough to be stopped on the way.
	if err := b.SetGlobalLimits(share.Limits{Down: 8 << 20}); err != nil {
		t.Fatal(err)
	}
	id := b.fetch(shared.Link, dst).ID
	part := b.wait(id, "a quarter", func(s share.Transfer) bool { return s.Bytes >= half/2 })
	var line face.Swarm
	b.box.call(func() { line = b.loop.transfers.byID[id].live().net })
	b.stop()
	// Blocks arrive until the last moment, and each of them is counted.
	if kept := keptRow(t, state, id); kept.downloaded != line.Figures().Down {
		t.Errorf("%d bytes were downloaded, and %d were counted", line.Figures().Down, kept.downloaded)
	}
	if _, err := os.Stat(filepath.Join(dst, "big.bin")); err == nil {
		t.Error("an incomplete file has its final name")
	}

	b = startNode(t, state)
	s, err := b.Get(id)
	if err != nil || s.Total != 2*half || s.Name != "big.bin" {
		t.Errorf("after the restart: %+v, %v", s, err)
	}
	done := b.waitState(id, share.Seeding)
	if readFile(t, filepath.Join(dst, "big.bin")) != string(want) {
		t.Error("the file differs")
	}
	// What was reported durable is not fetched again.
	if again := b.Stats().Downloaded; again > 2*half-part.Bytes {
		t.Errorf("%d bytes fetched after the restart, %d were on disk", again, part.Bytes)
	}
	if done.Downloaded < 2*half {
		t.Errorf("%d bytes downloaded in both runs", done.Downloaded)
	}
	b.stop()

	// Complete things are seeding at once, and are not read again.
	b = startNode(t, state)
	if s, err := b.Get(id); err != nil || s.State != share.Seeding || s.Bytes != s.Total || !s.Completed.Equal(done.Completed) {
		t.Errorf("after the second restart: %+v, %v", s, err)
	}
}

func TestRestartOfShares(t *testing.T) {
	t.Parallel()
	state, src := t.TempDir(), someFiles(t)
	a := startNode(t, state)
	shared := a.share(src)
	addr := a.addr
	a.stop()

	a = startNode(t, state)
	if s, err := a.Get(shared.ID); err != nil || s.State != share.Seeding || !s.Own || s.Bytes != shared.Total {
		t.Errorf("after a restart: %+v, %v", s, err)
	}
	b := newNode(t)
	again, err := a.Get(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	if a.addr == addr {
		t.Log("the port happens to be the same")
	}
	b.fetch(again.Link, t.TempDir())
	sameTree(t, src, b.waitState(shared.ID, share.Seeding).Path)
}

// A share that was not hashed when the engine stopped is taken up again.
func TestRestartOfUnfinishedShare(t *testing.T) {
	state, src := t.TempDir(), someFiles(t)
	a := startNode(t, state)
	s, err := a.Share(t.Context(), ShareRequest{Path: src, ShareOptions: share.ShareOptions{Name: "other name"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Pause(s.ID); err != nil {
		t.Fatal(err)
	}
	first, _ := a.Get(s.ID)
	a.stop()
	a = startNode(t, state)
	if len(a.List()) != 1 {
		t.Fatalf("%d transfers after the restart", len(a.List()))
	}
	if first.State == share.Paused {
		if err := a.Resume(a.List()[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	got := a.waitState(a.List()[0].ID, share.Seeding)
	if got.Name != "other name" || got.Path != src {
		t.Errorf("shared: %+v", got)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, want := bigFile(t, a)
	dst := t.TempDir()
	if err := b.SetGlobalLimits(share.Limits{Down: 8 << 20}); err != nil {
		t.Fatal(err)
	}
	id := b.fetch(shared.Link, dst).ID
	b.wait(id, "a quarter", func(s share.Transfer) bool { return s.Bytes >= half/2 })
	if err := b.Pause(id); err != nil {
		t.Fatal(err)
	}
	paused := b.wait(id, "no peers", func(s share.Transfer) bool { return s.State == share.Paused && s.Peers == 0 })
	a.wait(id, "the connection to be closed", func(s share.Transfer) bool { return s.Peers == 0 })
	if got := b.Stats().Connections; got != 0 {
		t.Errorf("%d connections while paused", got)
	}
	if err := b.SetGlobalLimits(share.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Resume(id); err != nil {
		t.Fatal(err)
	}
	b.waitState(id, share.Seeding)
	if readFile(t, filepath.Join(dst, "big.bin")) != string(want) {
		t.Error("the file differs")
	}
	if paused.Bytes < half/2 {
		t.Errorf("only %d bytes when paused", paused.Bytes)
	}
}
