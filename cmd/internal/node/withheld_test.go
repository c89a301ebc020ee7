package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// refused requests a share that must fail, at once or when it is read.
func refused(t *testing.T, c *api.Client, r api.ShareRequest) (kind share.Kind, why string) {
	t.Helper()
	s, err := c.Share(testContext(t), r)
	if err != nil {
		return share.KindOf(err), err.Error()
	}
	for {
		s, err = c.Transfer(testContext(t), s.ID)
		switch {
		case err != nil:
			t.Fatal(err)
		case s.State == share.Stopped:
			return share.KindOfCode(s.Code), s.Reason
		case s.State != share.Hashing:
			t.Fatalf("%+v is shared: %+v", r, s)
		}
	}
}

// The state directory is not shared, whatever its name and however it is reached.
func TestStateDirectoryIsNotShared(t *testing.T) {
	all := filepath.Join(t.TempDir(), "all")
	state := filepath.Join(all, "x", "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.txt", "x/b.txt"} {
		if err := os.WriteFile(filepath.Join(all, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "c.txt"), []byte("c"), 0o600); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{
		filepath.Join(elsewhere, "all"): all, filepath.Join(elsewhere, "state"): state, filepath.Join(elsewhere, "kept"): filepath.Join(state, torrentsDir),
	}
	for link, target := range links {
		if err := os.Symlink(target, link); err != nil {
			t.Skip(err)
		}
	}
	s := open(t, options(t, state, nil))
	defer closed(t, s)
	for _, r := range []api.ShareRequest{
		{Path: state}, {Path: all}, {Path: filepath.Join(all, "x")}, {Path: filepath.Join(state, torrentsDir)}, {Path: filepath.Join(state, stateName)},
		{Path: filepath.Join(elsewhere, "all")}, {Path: filepath.Join(elsewhere, "state")}, {Path: filepath.Join(elsewhere, "kept")},
		{Path: elsewhere + "/state/../state/" + torrentsDir},
		{Path: elsewhere, ShareOptions: share.ShareOptions{FollowSymlinks: true, Exclude: []string{"all", "state"}}},
		{Path: elsewhere, ShareOptions: share.ShareOptions{FollowSymlinks: true, Exclude: []string{"all", "kept"}}},
		{Path: all, ShareOptions: share.ShareOptions{Exclude: []string{"a.txt"}}},
		{Path: all, Confirm: true}, {Path: state, Confirm: true, ShareOptions: share.ShareOptions{Exclude: []string{"*.db"}}},
	} {
		if kind, why := refused(t, s.Client, r); kind != share.Usage || !strings.Contains(why, "state directory") {
			t.Errorf("%+v: %v, %s", r, kind, why)
		}
	}
	// The same holds for watched folders.
	in := &intake{withheld: newWithheld(state, func() string { return "" })}
	if _, err := (watched{in}).Share(testContext(t), api.ShareRequest{Path: filepath.Join(all, "x")}); share.KindOf(err) != share.Usage {
		t.Errorf("watched: %v", err)
	}
	// If the walk never reaches it, the rest may be shared, and so may downloads.
	for _, r := range []api.ShareRequest{{Path: all, ShareOptions: share.ShareOptions{Exclude: []string{"x/state"}}}, {Path: elsewhere}} {
		first, err := s.Client.Share(testContext(t), r)
		if err != nil {
			t.Fatal(err)
		}
		got := await(t, s.Client, first.ID, func(t share.Transfer) bool { return t.State != share.Hashing })
		if got.State != share.Seeding {
			t.Errorf("%+v: %+v", r, got)
		}
	}
	mine := filepath.Join(state, "downloads", "film")
	if err := os.MkdirAll(filepath.Dir(mine), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("a film"), 0o600); err != nil {
		t.Fatal(err)
	}
	shared(t, s.Client, mine)
}

// The key of a channel is recognized by its content.
func TestKeysAreNotShared(t *testing.T) {
	s := open(t, options(t, stateDir(t), nil))
	defer closed(t, s)
	dir, _ := content(t)
	key, err := channel.NewKey("films", false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sub", "notes.txt")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range []api.ShareRequest{{Path: dir}, {Path: file}} {
		if kind, why := refused(t, s.Client, r); kind != share.Usage || !strings.Contains(why, "notes.txt: this is the secret key of a channel") {
			t.Errorf("%+v: %v, %s", r, kind, why)
		}
	}
	if _, err := s.Client.Share(testContext(t), api.ShareRequest{Path: dir, ShareOptions: share.ShareOptions{Exclude: []string{"notes.txt"}}}); err != nil {
		t.Error(err)
	}
}

// A home directory, or a folder that contains one, is shared only with a confirmation.
func TestHomeIsSharedOnlyWhenConfirmed(t *testing.T) {
	home := filepath.Join(t.TempDir(), "people", "me")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".password"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(home, link); err != nil {
		t.Skip(err)
	}
	s := open(t, options(t, stateDir(t), nil))
	defer closed(t, s)
	for path, what := range map[string]string{home: "a home directory", link: "a home directory", filepath.Dir(home): "home directories"} {
		_, err := s.Client.Share(testContext(t), api.ShareRequest{Path: path})
		if !errors.Is(err, api.ErrUnconfirmed) || share.KindOf(err) != share.Usage || !strings.HasPrefix(err.Error(), path+" is "+what+":") {
			t.Errorf("%s: %v", path, err)
		}
	}
	// Also if the state is not in it.
	if _, err := s.Client.Share(testContext(t), api.ShareRequest{Path: "/", ShareOptions: share.ShareOptions{Exclude: []string{"*"}}}); !errors.Is(err, api.ErrUnconfirmed) {
		t.Errorf("/: %v", err)
	}
	first, err := s.Client.Share(testContext(t), api.ShareRequest{Path: home, Confirm: true})
	if err != nil {
		t.Fatal(err)
	}
	got := await(t, s.Client, first.ID, func(t share.Transfer) bool { return t.State == share.Seeding })
	if got.Hidden != 1 {
		t.Errorf("%+v", got)
	}
	if list, err := s.Client.Transfers(testContext(t)); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
