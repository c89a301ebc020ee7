package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/webui/api"
)

// Every verb, and every action of the channel verb, says what it does where no node
// is running.
func TestEveryVerbHasAUse(t *testing.T) {
	known := map[string]*verb{}
	for _, v := range verbs() {
		if v.name == "channel" {
			for _, a := range channelActs {
				known["channel "+a.name] = v
			}
			continue
		}
		known[v.name] = v
	}
	for name := range known {
		if uses[name] == 0 {
			t.Errorf("shoal %s is not in the table uses", name)
		}
	}
	for line := range uses {
		name, flag, with := strings.Cut(line, " --")
		v := known[name]
		if v == nil || with && !slices.ContainsFunc(v.flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) }) {
			t.Errorf("there is no shoal %s", line)
		}
	}
}

// A verb that reads works where nothing can be listened at, and changes no byte of
// the state.
func TestReadingVerbsOnlyRead(t *testing.T) {
	around := t.TempDir()
	state, photos := filepath.Join(around, "state"), filepath.Join(around, "photos")
	if err := os.Mkdir(photos, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(photos, "a.jpg"), []byte("a photo"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", around)
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("SHOAL_STATE", state)
	t.Setenv("SHOAL_BOOTSTRAP", "none")
	id, channel := stateWithShare(t, photos)

	t.Setenv("SHOAL_LISTEN", "[2001:db8::1]:4000") // an address that this host does not have
	command := map[string][]string{
		"list": nil, "show": {id}, "files": {id}, "search": {"photos"}, "limit": nil,
		"channel list": nil, "channel show": {channel},
	}
	before := bytesBelow(t, around)
	for line, u := range uses {
		if u != reads {
			continue
		}
		args, ok := command[line]
		if !ok {
			t.Errorf("shoal %s is not tried here", line)
			continue
		}
		for _, json := range []bool{false, true} {
			args := slices.Concat([]string{"shoal"}, strings.Fields(line), args)
			if json {
				args = slices.Insert(args, 2, "--json")
			}
			if strings.HasPrefix(line, "channel ") && json {
				args = slices.Concat([]string{"shoal", "channel", "--json"}, strings.Fields(line)[1:], command[line])
			}
			if status, out, errs := tried(t, args...); status != 0 || out == "" {
				t.Errorf("%q: status %d\n%s%s", args, status, out, errs)
			}
			if diff := cmp.Diff(before, bytesBelow(t, around)); diff != "" {
				t.Fatalf("%q changed the state:\n%s", args, diff)
			}
		}
	}
	// One that acts does not get so far.
	if status, _, errs := tried(t, "shoal", "pause", id); status == 0 || !strings.Contains(errs, "listening at") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// tried runs a command in this process.
func tried(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var to [2]*os.File
	for i := range to {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		to[i] = f
	}
	status = run(args, to[0], to[1])
	var text [2]string
	for i, f := range to {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(b)
	}
	return status, text[0], text[1]
}

// stateWithShare leaves a share and a channel in the state that the environment
// names.
func stateWithShare(t *testing.T, path string) (id, channel string) {
	t.Helper()
	cfg, err := config.Load(config.Sources{Env: os.LookupEnv, Flags: map[string][]string{"listen": {"[::1]:0"}, "no-lan": {"true"}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := node.Open(t.Context(), node.Options{Config: cfg, Version: "0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := s.Client.Share(t.Context(), api.ShareRequest{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Client.AddChannel(t.Context(), api.NewChannel{Name: "films"})
	if err != nil {
		t.Fatal(err)
	}
	for tr.Completed.IsZero() {
		if tr, err = s.Client.Transfer(t.Context(), tr.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return tr.ID.String(), c.Name
}

func bytesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		all[name] = fi.Mode().String()
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			all[name] += fi.ModTime().String() + string(b)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}
