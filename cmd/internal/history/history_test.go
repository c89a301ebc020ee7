package history

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// clock is set by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func testDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func testHistory(t *testing.T, db *sql.DB, c *clock) *History {
	t.Helper()
	h, err := New(Config{DB: db, Logger: slog.New(slog.DiscardHandler), Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// moves lets a transfer move at p for a time.
func (h *History) moves(c *clock, id share.ID, p pace, d time.Duration) {
	total := h.seen[id]
	tell := func() {
		h.take(share.Event{ID: id, Transfer: &share.Transfer{Downloaded: total.down, Uploaded: total.up}})
	}
	tell()
	for range int(d / time.Second) {
		c.at = c.at.Add(time.Second)
		more := count{int64(p.down), int64(p.up)}
		total = count{total.down + more.down, total.up + more.up}
		tell()
		h.sample(more)
	}
}

func (h *History) tail(t *testing.T, span api.Span, id share.ID, n int) []int64 {
	t.Helper()
	got, err := h.Get(span, id)
	if err != nil {
		t.Fatal(err)
	}
	return got.Down[max(0, len(got.Down)-n):]
}

func equal(a []int64, b ...int64) bool { return slices.Equal(a, b) }

func TestHistoryBySecondsMinutesAndHours(t *testing.T) {
	db := testDB(t)
	c := &clock{time.Unix(1_800_000_000, 0)} // a full hour
	h := testHistory(t, db, c)
	id := share.ID{1}
	h.moves(c, id, pace{600, 60}, 90*time.Second)
	h.moves(c, id, pace{}, 30*time.Second)
	if got := h.tail(t, api.LastHour, id, 3); !equal(got, 0, 0, 0) {
		t.Errorf("it rests: %v", got)
	}
	got, err := h.Get(api.LastDay, id)
	if err != nil || got.Step != 60 || !got.End.Equal(c.at) {
		t.Errorf("%+v %v", got, err)
	}
	// The first second is the one after the hour.
	if !equal(got.Down[len(got.Down)-2:], 590, 310) || !equal(got.Up[len(got.Up)-2:], 59, 31) {
		t.Errorf("by minutes: %v %v", got.Down, got.Up)
	}
	if got := h.tail(t, api.LastMonth, id, 1); !equal(got, 0) {
		t.Errorf("the hour is not over: %v", got)
	}
	h.moves(c, id, pace{}, time.Hour)
	if got := h.tail(t, api.LastMonth, id, 1); !equal(got, 15) {
		t.Errorf("by hours: %v", got)
	}
	if got := h.tail(t, api.LastHour, share.ID{}, 3600); len(got) > 3600 {
		t.Errorf("the node: %d rates", len(got))
	}
	if _, err := h.Get("year", id); share.KindOf(err) != share.Usage {
		t.Error(err)
	}
}

// A transfer whose event comes after the sample of its second has no rate of zero, and
// none of twice what there was.
func TestHistoryOfATransferThatTellsLate(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	h := testHistory(t, testDB(t), c)
	id := share.ID{1}
	for _, n := range []int64{0, 100, 200, 200, 400, 500, 500, 500, 600} {
		h.take(share.Event{ID: id, Transfer: &share.Transfer{Downloaded: n}})
		c.at = c.at.Add(time.Second)
		h.sample(count{100, 0})
	}
	c.at = c.at.Add(time.Second)
	h.sample(count{})
	if got := h.tail(t, api.LastHour, id, 8); !equal(got, 100, 100, 100, 100, 100, 0, 0, 100) {
		t.Errorf("%v", got)
	}
}

// A download between two samples is seen, with all of its bytes.
func TestHistoryOfAMoment(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	h := testHistory(t, testDB(t), c)
	id := share.ID{1}
	for _, n := range []int64{0, 300, 1000, 1000} {
		h.take(share.Event{ID: id, Transfer: &share.Transfer{Downloaded: n}})
	}
	c.at = c.at.Add(time.Second)
	h.sample(count{1000, 0})
	c.at = c.at.Add(time.Second)
	h.sample(count{})
	c.at = c.at.Add(time.Second)
	for _, who := range []share.ID{id, {}} {
		if got := h.tail(t, api.LastHour, who, 2); !equal(got, 1000, 0) {
			t.Errorf("of %s: %v", who.Short(), got)
		}
	}
	// What it had before it was seen is not new.
	old := share.ID{2}
	h.take(share.Event{ID: old, Transfer: &share.Transfer{Downloaded: 5000}})
	h.sample(count{})
	c.at = c.at.Add(time.Second)
	if got := h.tail(t, api.LastHour, old, 1); slices.Max(append(got, 0)) != 0 {
		t.Errorf("before: %v", got)
	}
}

// What is a minute old or older survives, the seconds do not need to; and of a
// transfer that was removed nothing stays.
func TestHistorySurvivesARestart(t *testing.T) {
	db := testDB(t)
	c := &clock{time.Unix(1_800_000_000, 0)}
	h := testHistory(t, db, c)
	kept, gone := share.ID{1}, share.ID{2}
	h.moves(c, gone, pace{100, 0}, 61*time.Second)
	h.moves(c, kept, pace{600, 0}, 2*time.Minute)
	h.save()
	h.take(share.Event{ID: gone, Type: share.EventRemoved})
	h.save()

	h = testHistory(t, db, c)
	if got := h.tail(t, api.LastDay, kept, 1); !equal(got, 600) {
		t.Errorf("after a restart: %v", got)
	}
	if got := h.tail(t, api.LastDay, share.ID{}, 1); !equal(got, 600) {
		t.Errorf("the node, after a restart: %v", got)
	}
	if got := h.tail(t, api.LastDay, gone, 10); len(got) != 0 {
		t.Errorf("of a removed transfer: %v", got)
	}
	// And it goes on where it was.
	h.moves(c, kept, pace{600, 0}, 2*time.Minute)
	if got := h.tail(t, api.LastDay, kept, 2); !equal(got, 600, 600) {
		t.Errorf("later: %v", got)
	}
	c.at = c.at.Add(25 * time.Hour)
	h.sample(count{})
	if got := h.tail(t, api.LastDay, kept, 1440); slices.Max(append(got, 0)) != 0 {
		t.Errorf("a day later: %v", got)
	}
}

// Ten thousand transfers that all move take no more memory than is allowed, and
// a clock that jumps loses nothing.
func TestHistoryIsBounded(t *testing.T) {
	db := testDB(t)
	c := &clock{time.Unix(1_800_000_000, 0)}
	h := testHistory(t, db, c)
	for minute := range 6 {
		for i := range 10_000 {
			h.take(share.Event{ID: share.ID{0: 1, 1: byte(i >> 8), 2: byte(i)}, Transfer: &share.Transfer{Downloaded: int64(minute)}})
		}
		c.at = c.at.Add(time.Minute)
		h.sample(count{1, 1})
	}
	for level, q := range h.queues {
		if len(q) > levels[level].most {
			t.Errorf("level %d has %d blocks", level, len(q))
		}
	}
	h.take(share.Event{ID: share.ID{1}, Type: share.EventRemoved})
	before := h.tail(t, api.LastDay, share.ID{}, 4)
	c.at = c.at.Add(-time.Hour)
	h.sample(count{1000, 1000})
	c.at = c.at.Add(time.Hour)
	if got := h.tail(t, api.LastDay, share.ID{}, 4); !equal(got, before...) {
		t.Errorf("the clock was set back: %v, before %v", got, before)
	}
	// A month later nothing of this is left.
	c.at = c.at.Add(40 * 24 * time.Hour).Truncate(time.Minute)
	h.sample(count{})
	if len(h.series) != 0 {
		t.Errorf("%d series are left", len(h.series))
	}
	for level, q := range h.queues {
		if len(q) != 0 {
			t.Errorf("level %d still has %d blocks", level, len(q))
		}
	}
}
