package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// spooledIn counts what is in the spool of a state directory.
func spooledIn(t *testing.T, state string) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(state, spoolName))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestSpoolKeepsAllOrNothing(t *testing.T) {
	state := t.TempDir()
	want := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	told := int64(0)
	s, err := Spool(t.Context(), SpoolOptions{State: state, Name: "stdin", What: "standard input", Progress: func(n int64) { told = n }}, bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(s.Path())
	if err != nil || !bytes.Equal(got, want) || s.Size() != int64(len(want)) || told != s.Size() {
		t.Errorf("%d bytes on disk, size %d, told %d: %v", len(got), s.Size(), told, err)
	}
	if err := s.Delete(); err != nil || spooledIn(t, state) != 0 {
		t.Errorf("after Delete: %v, %d left", err, spooledIn(t, state))
	}
	if err := s.Delete(); err != nil {
		t.Errorf("a second Delete: %v", err)
	}

	broken := errors.New("the line is dead")
	for name, c := range map[string]struct {
		r    io.Reader
		free int64
		want share.Kind
	}{
		"a reader that fails": {io.MultiReader(bytes.NewReader(want), failing{broken}), 0, share.Failed},
		"a disk that is full": {bytes.NewReader(want), 1 << 60, share.Disk},
	} {
		if _, err := Spool(t.Context(), SpoolOptions{State: state, Name: "stdin", What: "it", MinFree: c.free}, c.r); share.KindOf(err) != c.want || spooledIn(t, state) != 0 {
			t.Errorf("%s: %v, %d left", name, err, spooledIn(t, state))
		}
	}

	// A reader that never returns does not hold an interruption up.
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	go func() {
		_, _ = w.Write([]byte("some")) // once it was read, more is waited for
		cancel()
	}()
	if _, err := Spool(ctx, SpoolOptions{State: state, Name: "stdin", What: "it"}, r); share.KindOf(err) != share.Interrupted || spooledIn(t, state) != 0 {
		t.Errorf("interrupted: %v, %d left", err, spooledIn(t, state))
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestOnlyFilesInTheSpoolAreOutsideTheState(t *testing.T) {
	state := filepath.Join(string(filepath.Separator), "state")
	id := "0123456789abcdef0123456789abcdef"
	for path, want := range map[string]bool{
		filepath.Join(state, spoolName, id, "stdin"):             true,
		filepath.Join(state, spoolName, id):                      false,
		filepath.Join(state, spoolName):                          false,
		filepath.Join(state, spoolName, id, "a", "b"):            false,
		filepath.Join(state, spoolName, id+".lock"):              false,
		filepath.Join(state, spoolName, "..", "credentials"):     false,
		filepath.Join(state, spoolName, "notanid", "stdin"):      false,
		filepath.Join(state, "torrents", id, "stdin"):            false,
		filepath.Join("elsewhere", spoolName, id, "stdin"):       false,
		filepath.Join(state+"2", spoolName, id, "stdin"):         false,
		filepath.Join(state, spoolName, id[:31]+"G", "stdin"):    false,
		filepath.Join(state, spoolName, id, "..", "..", "state"): false,
	} {
		if got := inSpool(state, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
