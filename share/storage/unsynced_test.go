package storage

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Against a model: a file is on the disk only if a sync that began after its last
// write succeeded, and no failed sync is left to be healed.
func TestUnsyncedFollowsEveryWrite(t *testing.T) {
	const n = 4
	rapid.Check(t, func(t *rapid.T) {
		u := newUnsynced(n, n+1)
		var wrote, good [n]int // how often; of which a good sync began after
		var failed [n]bool
		failures := 0
		under := map[int][2]int{} // syncs under way: the count of each kind of writes
		file := rapid.IntRange(0, n-1)
		t.Repeat(map[string]func(*rapid.T){
			"write": func(*rapid.T) {
				i := file.Draw(t, "file")
				u.wrote(i)
				wrote[i]++
			},
			"begin": func(*rapid.T) {
				i := file.Draw(t, "file")
				writes, useless := u.begin(i)
				if useless != failed[i] {
					t.Fatalf("a sync of file %d is useless: %v", i, useless)
				}
				if _, busy := under[i]; !busy && !useless {
					under[i] = [2]int{int(writes), wrote[i]}
				}
			},
			"good": func(*rapid.T) {
				i := file.Draw(t, "file")
				if s, busy := under[i]; busy {
					u.done(i, uint32(s[0]))
					good[i] = max(good[i], s[1])
					delete(under, i)
				}
			},
			"bad": func(*rapid.T) {
				i := file.Draw(t, "file")
				if _, busy := under[i]; busy {
					u.fail(i)
					failed[i] = true
					failures++
					delete(under, i)
				}
			},
			"heal": func(*rapid.T) {
				before := failures - rapid.IntRange(0, min(1, failures)).Draw(t, "failed meanwhile")
				if healed := u.heal(before); healed != (before == failures) {
					t.Fatalf("healed %v after %d failures, then %d", healed, before, failures)
				} else if healed {
					failed = [n]bool{}
				}
			},
			"batch": func(*rapid.T) {
				left := u.putBack(u.take())
				for i := range n {
					if slices.Contains(left, i) != (wrote[i] > good[i]) {
						t.Fatalf("file %d is left: %v", i, left)
					}
				}
			},
			"": func(*rapid.T) {
				for i := range n {
					if u.onDisk(i) != (wrote[i] == good[i] && !failed[i]) || u.untouched(i) != (wrote[i] == 0) {
						t.Fatalf("file %d: on disk %v after %d of %d writes, failed %v", i, u.onDisk(i), good[i], wrote[i], failed[i])
					}
				}
			},
		})
	})
}

// Every folder above a name is synced, and a folder that could not be synced is
// kept.
func TestUnsyncedFolders(t *testing.T) {
	u := newUnsynced(1, 2)
	u.noteTree("a/b/c", true)
	u.noteDir("d")
	dirs := u.takeDirs()
	if got, want := slices.Sorted(maps.Keys(dirs)), []string{".", parentDir, "a", "a/b", "d"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	if !u.empty() {
		t.Error("folders are left")
	}
	u.noteTree("e", false)
	u.putBackDirs(dirs)
	if got := len(u.takeDirs()); got != 5 {
		t.Errorf("%d folders", got)
	}
}
