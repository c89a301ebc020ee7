package metainfo

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shoalnet/shoal/share"
	"golang.org/x/sys/unix"
)

// asNobody runs f with the rights to files of a user who owns none.
func asNobody(f func()) {
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	was, _ := unix.SetfsuidRetUid(nobody)
	defer unix.Setfsuid(was)
	f()
}

// Nobody may read a file or folder; the rest is shared.
func TestMakeClosed(t *testing.T) {
	root := plant(t, map[string][]byte{"a": []byte("a"), "closed": []byte("x"), "private/b": []byte("y"), "z": []byte("z")})
	bare := plant(t, map[string][]byte{"closed": []byte("x"), "private/b": []byte("y")})
	for _, dir := range []string{root, bare} {
		for _, name := range []string{"closed", "private"} {
			if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "private"), 0o700) })
	}
	// What holds temporary folders is its maker's alone.
	if err := os.Chmod(filepath.Join(root, "../.."), 0o755); err != nil {
		t.Fatal(err)
	}
	asNobody(func() {
		made, err := Make(t.Context(), root, MakeOptions{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		want := leftOut("closed", "permission denied", "private", "permission denied")
		if diff := cmp.Diff(want, made.LeftOut); diff != "" || made.Info.Total != 2 || len(made.Info.Folders) != 0 {
			t.Errorf("%+v; left out: want -, got +:\n%s", made.Info, diff)
		}
		if _, err := Make(t.Context(), root, MakeOptions{Strict: true}); share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), `closed": permission denied`) {
			t.Errorf("strictly: %v", err)
		}
		if _, err := Make(t.Context(), root, MakeOptions{Strict: true, Exclude: []string{"closed", "private/"}}); err != nil {
			t.Errorf("strictly without them: %v", err)
		}
		_, err = Make(t.Context(), bare, MakeOptions{})
		if share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), "no data that can be shared: closed: permission denied (and 1 more)") {
			t.Errorf("nothing is left: %v", err)
		}
	})
}
