package engine

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// line is a line of a home that a film and other downloads share; all figures are bytes, or
// bytes a second. What nobody holds back is divided as the connections are.
type line struct {
	rate   int64
	others int64 // of ten connections, how many the others have
	swarm  int64 // the most that the film's peers send; 0 is any
	needs  int64 // what the player takes; 0 does not play

	window, ready int64
	stood, held   int // seconds
	sum           int64
	lacking       bool
	played, gets  int64 // by the film, by the others in the last second
}

func (l *line) second(h *hold, now time.Time) {
	part := l.window / 2
	if l.lacking {
		part = l.window * 7 / 8
	}
	l.lacking = l.needs > 0 && l.ready < part
	limit := h.next(now, demand{lacks: l.lacking, waits: l.lacking && l.ready < l.needs, played: l.played, others: l.gets})
	l.gets = l.rate * l.others / 10
	if limit > 0 {
		l.gets = min(l.gets, limit)
		l.held++
	}
	l.played = l.rate - l.gets
	if l.swarm > 0 {
		l.played = min(l.played, l.swarm)
	}
	l.played = min(l.played, l.window-l.ready+l.needs)
	if l.played < l.rate-l.gets && limit == 0 {
		l.gets = l.rate - l.played
	}
	l.sum += l.gets
	l.ready += l.played
	if l.ready < l.needs {
		l.stood++
	} else {
		l.ready -= l.needs
	}
}

func (l *line) run(h *hold, from time.Time, seconds int) time.Time {
	l.stood, l.held, l.sum = 0, 0, 0
	for i := range seconds {
		l.second(h, from.Add(time.Duration(i)*time.Second))
	}
	return from.Add(time.Duration(seconds) * time.Second)
}

// A film of 8 Mbit/s plays on a line of 16 Mbit/s of which eight of ten connections are
// others': without precedence it would stand still most of the time.
func TestAFilmGetsWhatItNeeds(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l := &line{rate: 2e6, others: 8, needs: 0, window: readAhead}
	h := &hold{}
	now = l.run(h, now, 30)
	if l.held != 0 || h.rate != 0 {
		t.Fatalf("others are held %d seconds although nobody plays", l.held)
	}
	alone := l.gets
	l.needs = 1e6
	now = l.run(h, now, 600)
	t.Logf("in 600 s the film stood still for %d s; the others had %d kB/s on average, %d without the film", l.stood, l.sum/600/1000, alone/1000)
	if l.stood > 2 {
		t.Errorf("the film stood still for %d s", l.stood)
	}
	if l.sum < 600*600_000 {
		t.Errorf("the others got only %d kB/s of the 1000 that are left", l.sum/600/1000)
	}
	l.needs = 0
	l.run(h, now, 60)
	t.Logf("the others are held for %d s after it", l.held)
	if l.held > 40 || h.rate != 0 || l.gets < alone {
		t.Errorf("the others are held for %d s after the film, and have %d of %d", l.held, l.gets, alone)
	}
}

// Where the film's own peers are slow, it does not help to hold back others.
func TestOthersAreLeftAloneWhereThatDoesNotHelp(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l := &line{rate: 2e6, others: 5, needs: 1e6, swarm: 200_000, window: readAhead}
	h := &hold{}
	l.played, l.gets = 200_000, 1_800_000 // it was downloading before
	l.run(h, now, 600)
	t.Logf("held %d of 600 s; the others had %d kB/s on average", l.held, l.sum/600/1000)
	if l.held > 600*holdTrialPart/100 || l.sum < 600*1_400_000 {
		t.Errorf("held %d of 600 s, others at %d kB/s", l.held, l.sum/600/1000)
	}
}

// holdTrialPart is how much of the time is spent on trying, in percent.
const holdTrialPart = 100*int(holdTrial/time.Second)/int((holdTrial+holdRest)/time.Second) + 3

// On two real swarms behind one limit: while a player lacks data, what another download
// takes is a fraction of what it takes beside somebody who saves the same file, and it says
// why. When the player has gone, it has its rate again.
func TestOthersYieldToAPlayer(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"film.mp4": 40 << 20, "other.iso": 40 << 20})
	film, other := a.share(filepath.Join(dir, "film.mp4")), a.share(filepath.Join(dir, "other.iso"))
	if err := b.SetGlobalLimits(share.Limits{Down: 4 << 20}); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	b.fetch(film.Link, to)
	b.fetch(other.Link, to)
	got := func(id share.ID) int64 {
		s, err := b.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		return s.Downloaded
	}
	b.until("both to arrive", func() bool { return got(film.ID) > 0 && got(other.ID) > 0 })

	// read reads some of the film, and returns what the other took meanwhile.
	const part = 4 << 20
	read := func(f io.ReadSeekCloser, from int64) int64 {
		if _, err := f.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		before := got(other.ID)
		if _, err := io.CopyN(io.Discard, f, part); err != nil {
			t.Fatal(err)
		}
		return got(other.ID) - before
	}
	saved, err := b.Open(t.Context(), film.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	beside := read(saved, 4<<20)
	saved.Close()
	if s, err := b.Streams(film.ID); err != nil || len(s.Streams) != 0 || s.Held != 0 {
		t.Errorf("somebody who saves is taken for a player: %+v, %v", s, err)
	}

	f, err := b.Play(t.Context(), film.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(20<<20, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	b.until("the other to be held", func() bool {
		s, err := b.Streams(film.ID)
		return err == nil && s.Held > 0 && len(s.Streams) == 1 && s.Streams[0].At == 20<<20+1
	})
	b.wait(other.ID, "the reason", func(s share.Transfer) bool { return s.Reason == "slowed down while “film.mp4” plays" })
	yields := read(f, 21<<20)
	t.Logf("of %d kB beside the same reading, the other download took %d kB when somebody played", beside>>10, yields>>10)
	if yields > beside/3 {
		t.Errorf("the other took %d bytes while the film lacked data, and %d beside somebody who saves", yields, beside)
	}
	f.Close()
	b.until("the other not to be held", func() bool {
		s, err := b.Streams(film.ID)
		return err == nil && s.Held == 0 && len(s.Streams) == 0
	})
	b.wait(other.ID, "no reason", func(s share.Transfer) bool { return s.Reason == "" })
	if err := b.SetGlobalLimits(share.Limits{}); err != nil {
		t.Fatal(err)
	}
	b.waitState(film.ID, share.Seeding)
	b.waitState(other.ID, share.Seeding)
	for _, name := range []string{"film.mp4", "other.iso"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != string(content(name, 40<<20)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}
