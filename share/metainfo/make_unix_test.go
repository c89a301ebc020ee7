//go:build unix

package metainfo

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shoalnet/shoal/share"
	"golang.org/x/sys/unix"
)

func TestMakeSkipsWhatIsNoFile(t *testing.T) {
	outside := plant(t, map[string][]byte{"secret": []byte("secret"), "dir/x": []byte("xyz")})
	root := plant(t, map[string][]byte{"a": []byte("a"), "only links/": nil})
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	link(filepath.Join(outside, "secret"), "file")
	link(filepath.Join(outside, "dir"), "folder")
	link("..", "only links/circle")
	if err := unix.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The path of a socket is short; the folder's may not be.
	t.Chdir(root)
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	made := mustMake(t, root, MakeOptions{})
	want := []string{"file", "folder", "only links/circle", "pipe", "socket"}
	for i := range want {
		want[i] = filepath.Join(root, want[i])
	}
	if diff := cmp.Diff(want, made.Skipped); diff != "" {
		t.Errorf("skipped: want -, got +:\n%s", diff)
	}
	if made.Info.Total != 1 || !cmp.Equal(made.Info.Folders, [][]string{{"only links"}}) {
		t.Errorf("got %+v", made.Info)
	}

	made = mustMake(t, root, MakeOptions{FollowSymlinks: true})
	if made.Info.Total != 1+6+3 || len(made.Skipped) != 3 {
		t.Errorf("following links: %d bytes, skipped %q", made.Info.Total, made.Skipped)
	}
	if f := made.Info.Files[2]; strings.Join(f.Path, "/") != "folder/x" || made.Files[2].Path != filepath.Join(root, "folder", "x") {
		t.Errorf("got %v from %v", f, made.Files[2])
	}

	link("nowhere", "dangling")
	mustMake(t, root, MakeOptions{})
	if _, err := Make(context.Background(), root, MakeOptions{FollowSymlinks: true}); share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), "dangling") {
		t.Errorf("a link to nothing: %v", err)
	}
	for _, name := range []string{"pipe", "socket"} {
		if _, err := Make(context.Background(), filepath.Join(root, name), MakeOptions{}); share.KindOf(err) != share.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustMake(t, filepath.Join(root, "file"), MakeOptions{}) // named by the user, so wanted
}

func TestMakeNameNotUTF8(t *testing.T) {
	root := plant(t, map[string][]byte{"a": []byte("a")})
	if err := os.WriteFile(filepath.Join(root, "b\xff"), nil, 0o644); err != nil {
		if runtime.GOOS == "darwin" && errors.Is(err, unix.EILSEQ) {
			t.Skip("this file system takes UTF-8 only")
		}
		t.Fatal(err)
	}
	if _, err := Make(context.Background(), root, MakeOptions{}); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), `b\xff`) {
		t.Errorf("got %v", err)
	}
}

// A file that cannot be read when its turn comes. A pipe in its place must not
// make us wait for a writer.
func TestMakeUnreadable(t *testing.T) {
	spoil := map[string]func(path string) error{
		"a pipe":   func(p string) error { return errors.Join(os.Remove(p), unix.Mkfifo(p, 0o600)) },
		"a circle": func(p string) error { return errors.Join(os.Remove(p), os.Symlink(p, p)) },
	}
	if os.Getuid() != 0 { // root may read it all the same
		spoil["closed"] = func(p string) error { return os.Chmod(p, 0) }
	}
	for name, change := range spoil {
		t.Run(name, func(t *testing.T) {
			root := plant(t, map[string][]byte{"1": random(2*chunkBytes, 1), "2": []byte("x")})
			victim := filepath.Join(root, "2")
			_, err := Make(context.Background(), root, MakeOptions{Progress: func(done, _ int64) {
				if done == chunkBytes {
					if err := change(victim); err != nil {
						t.Error(err)
					}
				}
			}})
			if share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), victim) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Sharing reads and does nothing else.
func TestMakeChangesNothing(t *testing.T) {
	root := plant(t, map[string][]byte{"a": random(10, 1), "b/c": nil, "d/": nil})
	state := func() map[string]string {
		m := map[string]string{}
		err := filepath.Walk(root, func(p string, info fs.FileInfo, err error) error {
			if err == nil {
				m[p] = info.Mode().String() + info.ModTime().String()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before := state()
	mustMake(t, root, MakeOptions{})
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("before -, after +:\n%s", diff)
	}
}
