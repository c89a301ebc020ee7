package main

import (
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/imports"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// importNode is a fakeNode that imports.
type importNode struct {
	*fakeNode
	by map[string]share.ID // by path
}

func (n *importNode) Import(ctx context.Context, r api.ImportRequest) (share.Transfer, error) {
	if err := n.refuse[filepath.Base(r.Path)]; err != nil {
		return share.Transfer{}, err
	}
	return n.Transfer(ctx, n.by[r.Path])
}

// foreignState makes a state of Transmission with complete single files of these names.
func foreignState(t *testing.T, names ...string) (all []imports.Transfer, ids map[string]share.ID) {
	t.Helper()
	dir, data, ids := t.TempDir(), t.TempDir(), map[string]share.ID{}
	for _, name := range names {
		info := fmt.Sprintf("d6:lengthi%de4:name%d:%s12:piece lengthi16384e6:pieces20:%020de", len(name), len(name), name, 0)
		id := share.ID(sha1.Sum([]byte(info)))
		ids[filepath.Join(data, name)] = id
		for file, text := range map[string]string{
			filepath.Join(data, name):                              name,
			filepath.Join(dir, "torrents", id.String()+".torrent"): "d4:info" + info + "e",
			filepath.Join(dir, "resume", id.String()+".resume"):    fmt.Sprintf("d11:destination%d:%s8:progressd6:blocks3:allee", len(data), data),
		} {
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := imports.Transmission(dir)
	if err != nil || len(all) != len(names) {
		t.Fatalf("%+v, %v", all, err)
	}
	return all, ids
}

// What is still being hashed since an earlier import is waited for, what is here is left
// alone, and what the node refuses is a failure.
func TestImportBesideOthers(t *testing.T) {
	all, ids := foreignState(t, "broken", "hashing", "refused")
	node := &importNode{newFake(), ids}
	var hashing share.Transfer
	for path, id := range ids {
		switch name := filepath.Base(path); name {
		case "hashing":
			hashing = share.Transfer{ID: id, Name: name, State: share.Hashing, Path: path, Own: true}
			node.transfers[id] = hashing
		case "broken":
			node.transfers[id] = share.Transfer{ID: id, Name: name, State: share.Stopped, Reason: "a file is missing", Path: path, Own: true}
		}
	}
	hashing.State, hashing.Bytes, hashing.Total, hashing.Completed = share.Seeding, 7, 7, time.Unix(1e9, 0)
	node.steps = []share.Event{changed(hashing)}
	node.refuse["refused"] = share.Errorf(share.Disk, "importing refused: permission denied; the node runs as the user shoal")
	out, stdout, stderr := onTerminal()
	err := runImport(t.Context(), node, itsOwn, importOptions{client: "Transmission", all: all, ended: make([]*importRecord, len(all))}, out)
	checkKind(t, err, share.Disk)
	for _, want := range []string{"already here", "a file is missing", "imported", "failed", "permission denied; the node runs as the user shoal"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if want := "3 transfers of Transmission: 1 imported, 1 already here, 1 failed"; !strings.Contains(stderr.String(), want) {
		t.Errorf("%q is not in\n%s", want, stderr)
	}
}
