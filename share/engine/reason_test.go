package engine

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// noLedger keeps nothing.
type noLedger struct{}

func (noLedger) Load(context.Context, share.ID) (*storage.Record, error) { return nil, nil }
func (noLedger) Save(context.Context, []storage.Record) error            { return nil }
func (noLedger) Delete(context.Context, share.ID) error                  { return nil }

func TestReasonWhileTheDiskIsSlow(t *testing.T) {
	store, err := storage.New(storage.Config{Ledger: noLedger{}}) // without Run nothing is synced
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(src, content("file", 20_000), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := metainfo.Make(t.Context(), src, metainfo.MakeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := store.Open(t.Context(), storage.Spec{Info: made.Info, Dir: filepath.Dir(src)})
	if err != nil {
		t.Fatal(err)
	}
	open := &openedPhase{files: files, plan: newPlan(made.Info, files, nil)}
	tr := &transfer{row: row{kind: kindFetch, files: 1}, phase: open, slot: true}
	const writing = "all data has arrived and is being written to the disk"
	if got := tr.reason(time.Now()).String(); tr.state() != share.Fetching || got == writing {
		t.Errorf("%s: %q", tr.state(), got)
	}
	// What is there has the right bytes; whether they are on the disk is not known.
	for i := range made.Info.NumPieces {
		if ok, err := files.HashPiece(t.Context(), i); !ok {
			t.Fatal(err)
		}
	}
	if got := tr.reason(time.Now()).String(); got != writing {
		t.Errorf("%q", got)
	}
	if err := files.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReasonForNoPeers(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		search search
		known  int
		peers  int
		want   string
	}{
		{search{}, 0, 0, "looking for peers"},
		{search{asked: true}, 0, 0, "no way to find peers: the link has none, and no other source is on"},
		{search{open: true}, 0, 0, "looking for peers"},
		{search{open: true, asked: true, round: &round{left: 1}}, 0, 0, "looking for peers"},
		{search{open: true, asked: true, next: now.Add(9500 * time.Millisecond)}, 0, 0, "no peers found yet, next try in 10 s"},
		{search{open: true, asked: true}, 1, 0, "1 peer known, not connected yet"},
		{search{open: true, asked: true, next: now.Add(5 * time.Minute)}, 2, 0, "2 peers known, none connected yet, next try in 5 min"},
		{search{open: true, asked: true}, 2, 1, ""},
	} {
		b := newBook()
		for i := range test.known {
			b.entries[netip.AddrPortFrom(netip.IPv6LinkLocalAllNodes(), uint16(i+1))] = &entry{}
		}
		if got := test.search.reason(b, test.peers, now).String(); got != test.want {
			t.Errorf("%+v, %d known: %q, want %q", test.search, test.known, got, test.want)
		}
	}
	b := newBook()
	b.add(now, share.FromTracker, addrs("8.8.8.8:1"), far, nil)
	want := "no peers found yet; 1 peer skipped, IPv4 only (--ipv4 uses them)"
	if got := (&search{open: true, asked: true}).reason(b, 0, now).String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
