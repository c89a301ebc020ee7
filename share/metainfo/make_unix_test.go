//go:build unix

package metainfo

import (
	"context"
	"errors"
	"fmt"
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

// leftOut is what is left out, as pairs of a path and a reason.
func leftOut(pairs ...string) *share.LeftOut {
	var l share.LeftOut
	for i := 0; i < len(pairs); i += 2 {
		l.Add(pairs[i], share.Text{Pattern: pairs[i+1]})
	}
	return &l
}

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
	want := leftOut("file", "a symbolic link", "folder", "a symbolic link", "only links/circle", "a symbolic link", "pipe", "a pipe", "socket", "a socket")
	if diff := cmp.Diff(want, made.LeftOut); diff != "" {
		t.Errorf("left out: want -, got +:\n%s", diff)
	}
	if made.Info.Total != 1 || !cmp.Equal(made.Info.Folders, [][]string{{"only links"}}) {
		t.Errorf("got %+v", made.Info)
	}

	made = mustMake(t, root, MakeOptions{FollowSymlinks: true})
	if made.Info.Total != 1+6+3 || made.LeftOut.Count != 3 || made.LeftOut.Items[0].Reason != "it leads back to a folder that it is in" {
		t.Errorf("following links: %d bytes, left out %v", made.Info.Total, made.LeftOut)
	}
	if f := made.Info.Files[2]; strings.Join(f.Path, "/") != "folder/x" || made.Files[2].Path != filepath.Join(root, "folder", "x") {
		t.Errorf("got %v from %v", f, made.Files[2])
	}

	link("nowhere", "dangling")
	made = mustMake(t, root, MakeOptions{FollowSymlinks: true})
	if got := made.LeftOut.Items[0]; got.Path != "dangling" || got.Reason != "a symbolic link: no such file or directory" {
		t.Errorf("a link to nothing: %v", got)
	}
	if _, err := Make(context.Background(), root, MakeOptions{FollowSymlinks: true, Strict: true}); share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), "dangling") {
		t.Errorf("a link to nothing, strictly: %v", err)
	}
	for _, name := range []string{"pipe", "socket"} {
		if _, err := Make(context.Background(), filepath.Join(root, name), MakeOptions{}); share.KindOf(err) != share.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustMake(t, filepath.Join(root, "file"), MakeOptions{}) // named by the user, so wanted
}

// What cannot be in a torrent does not keep the rest from being shared.
func TestMakeLeavesOut(t *testing.T) {
	root := plant(t, map[string][]byte{"a": []byte("a"), "_____padding_file_0": []byte("x"), "d/_____padding_file_1/y": []byte("y")})
	for _, name := range []string{"b\xff", "d/c\xfe"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("b"), 0o644); err != nil {
			if runtime.GOOS == "darwin" && errors.Is(err, unix.EILSEQ) {
				t.Skip("this file system takes UTF-8 only")
			}
			t.Fatal(err)
		}
	}
	made := mustMake(t, root, MakeOptions{})
	const padding, foreign = "other clients treat a file of this name as padding; rename it", "its name is not UTF-8, which torrents require; rename it"
	want := leftOut("_____padding_file_0", padding, "b\xff", foreign, "d/_____padding_file_1", padding, "d/c\xfe", foreign)
	if diff := cmp.Diff(want, made.LeftOut); diff != "" || made.Info.Total != 1 {
		t.Errorf("%d bytes; left out: want -, got +:\n%s", made.Info.Total, diff)
	}
	if same, err := Same(t.Context(), root, MakeOptions{}, made.Torrent); err != nil || !cmp.Equal(same.LeftOut, want) {
		t.Errorf("the same again: %+v, %v", same, err)
	}
	_, err := Make(t.Context(), root, MakeOptions{Strict: true, Exclude: []string{"_____*"}})
	if share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), `b\xff": its name is not UTF-8`) {
		t.Errorf("strictly: %v", err)
	}
	// There is no end to what may be left out; what is told of it has one.
	for i := range 3 * share.MaxLeftOut {
		if err := os.Symlink("a", filepath.Join(root, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if got := mustMake(t, root, MakeOptions{}).LeftOut; got.Count != 4+3*share.MaxLeftOut || len(got.Items) != share.MaxLeftOut {
		t.Errorf("%d left out, %d named", got.Count, len(got.Items))
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
