package engine

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func TestSelectedFiles(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	src := someFiles(t)
	shared := a.share(src)
	dst := t.TempDir()
	// The globs are kept until the files are known.
	b.fetch(shared.Link, dst, func(r *FetchRequest) { r.Files = []string{"*.jpg", "sub/deep", "empty"} })
	done := b.waitState(shared.ID, share.Seeding)
	want := []string{"beach.jpg", "empty", "sub/deep/er/a.txt"}
	if done.Total != 300_002 || done.Bytes != done.Total || done.Size != shared.Size {
		t.Errorf("selected: %+v", done)
	}
	files, err := b.Files(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	var chosen []string
	var skipped share.File
	for _, f := range files {
		if f.Priority != share.Skip {
			chosen = append(chosen, f.Path)
			if f.Bytes != f.Total {
				t.Errorf("not all of it is there: %+v", f)
			}
		} else if f.Path == "sub/video.mkv" {
			skipped = f
		}
	}
	if slices.Sort(chosen); !slices.Equal(chosen, want) {
		t.Errorf("selected %q", chosen)
	}
	for _, name := range want {
		if got := readFile(t, filepath.Join(done.Path, name)); got != readFile(t, filepath.Join(src, name)) {
			t.Errorf("%s differs", name)
		}
	}
	if _, err := os.Stat(filepath.Join(done.Path, "sub/video.mkv")); err == nil {
		t.Error("a file that was not selected is there")
	}
	pieces, err := b.Pieces(shared.ID)
	if err != nil || !slices.Contains(pieces.State, share.PieceSkipped) || !slices.Contains(pieces.State, share.PieceComplete) {
		t.Errorf("pieces: %v, %v", pieces.State, err)
	}

	// One more, while it is at rest; the others stay skipped.
	if err := b.SetPriority(shared.ID, map[int]share.Priority{skipped.Index: share.High}); err != nil {
		t.Fatal(err)
	}
	done = b.wait(shared.ID, "the other file", func(s share.Transfer) bool { return s.State == share.Seeding && s.Bytes > 5<<20 })
	if readFile(t, filepath.Join(done.Path, "sub/video.mkv")) != readFile(t, filepath.Join(src, "sub/video.mkv")) {
		t.Error("the file selected later differs")
	}
	if done.Total != 300_002+5<<20 {
		t.Errorf("total %d", done.Total)
	}
	if err := b.SetPriority(shared.ID, map[int]share.Priority{len(files) + 9: share.High}); share.KindOf(err) != share.Usage {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Who selects more of what was complete, and so had stopped, wants it fetched. A
// pause of the user's stays.
func TestSelectingMoreGoesOn(t *testing.T) {
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	b.fetch(shared.Link, t.TempDir(), func(r *FetchRequest) { r.Files, r.Goal = []string{"beach.jpg"}, &share.Goal{None: true} })
	b.wait(shared.ID, "its goal", func(s share.Transfer) bool { return s.State == share.Paused && s.Bytes == 300_001 })
	files, err := b.Files(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	more := func(path string) map[int]share.Priority {
		i := slices.IndexFunc(files, func(f share.File) bool { return f.Path == path })
		return map[int]share.Priority{files[i].Index: share.Normal}
	}
	if err := b.SetPriority(shared.ID, more("sub/deep/er/a.txt")); err != nil {
		t.Fatal(err)
	}
	b.wait(shared.ID, "the other file", func(s share.Transfer) bool {
		return s.State == share.Paused && !s.Completed.IsZero() && s.Bytes == s.Total && s.Total > 300_001
	})
	if err := b.Pause(shared.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.SetPriority(shared.ID, more("sub/video.mkv")); err != nil {
		t.Fatal(err)
	}
	if s, err := b.Get(shared.ID); err != nil || s.State != share.Paused || s.Reason != "" {
		t.Errorf("a pause of the user's: %+v, %v", s, err)
	}
}

func TestNothingSelected(t *testing.T) {
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	b.fetch(shared.Link, t.TempDir(), func(r *FetchRequest) { r.Files = []string{"*.nothing"} })
	if s := b.waitState(shared.ID, share.Stopped); s.Code != share.Usage.Code() {
		t.Errorf("%+v", s)
	}
}

// so= of a link selects by number.
func TestSelectionOfTheLink(t *testing.T) {
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	files, err := a.Files(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f share.File) bool { return f.Path == "beach.jpg" })
	b.fetch(shared.Link, t.TempDir(), func(r *FetchRequest) {
		r.Link.Select = []share.Range{{First: files[i].Index, Last: files[i].Index}}
	})
	if done := b.waitState(shared.ID, share.Seeding); done.Bytes != 300_001 {
		t.Errorf("%+v", done)
	}
}

// A stream reads what has arrived, waits for what has not, and has it fetched
// first.
func TestStreamWhileFetching(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, want := bigFile(t, a)
	// So slow that only what is asked for first can have come.
	if err := a.SetLimits(shared.ID, share.Limits{Up: 4 << 20}); err != nil {
		t.Fatal(err)
	}
	id := b.fetch(shared.Link, t.TempDir()).ID
	b.waitState(id, share.Fetching)
	f, err := b.Open(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 100_000)
	for _, at := range []int64{2*half - 100_000, 0, half + 12345} {
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(f, buf); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf, want[at:at+100_000]) {
			t.Errorf("the bytes at %d differ", at)
		}
	}
	if s, _ := b.Get(id); s.Bytes > s.Total/2 {
		t.Errorf("%d bytes were fetched before three reads of 100,000 were through", s.Bytes)
	}
	if err := a.SetLimits(shared.ID, share.Limits{}); err != nil {
		t.Fatal(err)
	}
	if at, err := f.Seek(-5, io.SeekEnd); err != nil || at != 2*half-5 {
		t.Errorf("seeking from the end: %d, %v", at, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(all, want) {
		t.Errorf("read %d bytes, %v", len(all), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestStreamOfCompleteAndPaused(t *testing.T) {
	a := newNode(t)
	shared, want := bigFile(t, a)
	if err := a.Pause(shared.ID); err != nil {
		t.Fatal(err)
	}
	f, err := a.Open(t.Context(), shared.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		at := rand.Int64N(2*half - 1000)
		buf := make([]byte, 1000)
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(f, buf); err != nil || !bytes.Equal(buf, want[at:at+1000]) {
			t.Fatalf("at %d: %v", at, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	a.waitRest(shared.ID)
	if _, err := a.Open(t.Context(), shared.ID, 7); share.KindOf(err) != share.Usage {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A reader that waits is let go when nothing will come any more.
func TestStreamEndsWithItsTransfer(t *testing.T) {
	for name, act := range map[string]func(*node, share.ID) error{
		"pause":  func(b *node, id share.ID) error { return b.Pause(id) },
		"remove": func(b *node, id share.ID) error { _, err := b.Remove(id, true); return err },
		"stop":   func(b *node, id share.ID) error { b.stop(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newNode(t), newNode(t)
			shared, _ := bigFile(t, a)
			if err := a.SetLimits(shared.ID, share.Limits{Up: 100_000}); err != nil {
				t.Fatal(err)
			}
			id := b.fetch(shared.Link, t.TempDir()).ID
			b.waitState(id, share.Fetching)
			f, err := b.Open(t.Context(), id, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			failed := make(chan error, 1)
			go func() {
				_, err := io.ReadAll(f)
				failed <- err
			}()
			b.wait(id, "a connection", func(s share.Transfer) bool { return s.Peers > 0 })
			if err := act(b, id); err != nil {
				t.Fatal(err)
			}
			if err := <-failed; err == nil {
				t.Error("the reader got everything")
			}
		})
	}
}

func TestInOrder(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, _ := bigFile(t, a)
	if err := a.SetLimits(shared.ID, share.Limits{Up: 2 << 20}); err != nil {
		t.Fatal(err)
	}
	b.fetch(shared.Link, t.TempDir(), func(r *FetchRequest) { r.Sequential = true })
	b.wait(shared.ID, "a fifth", func(s share.Transfer) bool { return s.Bytes > 8<<20 })
	pieces, err := b.Pieces(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	n := len(pieces.State)
	early, late := 0, 0
	for i, s := range pieces.State {
		switch {
		case s == share.PieceComplete && i < n/2:
			early++
		case s == share.PieceComplete && i >= n*3/4:
			late++
		}
	}
	if early < n/6 || late > 0 {
		t.Errorf("of %d pieces, %d of the first half and %d of the last quarter are there", n, early, late)
	}
}
