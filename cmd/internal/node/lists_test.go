package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// The list of a channel is a transfer that names its channel and cannot be removed alone.
func TestListsBelongToTheirChannels(t *testing.T) {
	dir := stateDir(t)
	beside := startDaemon(t, options(t, stateDir(t), nil)) // for the DHT
	n := startDaemon(t, options(t, dir, map[string][]string{"bootstrap": {beside.Info().Listen[0]}}))
	c, ctx := n.Client(), testContext(t)
	folder, _ := content(t)
	other := shared(t, c, folder)
	made, err := c.AddChannel(ctx, api.NewChannel{Name: "films"})
	if err != nil {
		t.Fatal(err)
	}
	events := n.events.Subscribe(100)
	defer events.Close()
	published, err := c.PublishChannel(ctx, made.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	list := published.Content
	put := func(key string) share.ID {
		t.Helper()
		path := filepath.Join(ChannelDir(dir), key, "own-1", key[:4]+".jsonl.zst")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("a list for "+key), 0o600); err != nil {
			t.Fatal(err)
		}
		id, err := (&swarm{n.engine, ChannelDir(dir)}).Publish(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	odd, leftover := put("nokey"), put(strings.Repeat("0a", 32))

	want := map[share.ID]string{other.ID: "", list: made.ID.String(), odd: "", leftover: strings.Repeat("0a", 32)}
	all, err := c.Transfers(ctx, "id", "channel")
	if err != nil || len(all) != len(want) {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, tr := range all {
		one, err := c.Transfer(ctx, tr.ID)
		if err != nil || tr.Channel != want[tr.ID] || one.Channel != want[tr.ID] {
			t.Errorf("%s is the list of %q and %q, %v; want %q", tr.ID, tr.Channel, one.Channel, err, want[tr.ID])
		}
	}
	for ev := range events.Events() {
		if ev.Type == share.EventShared && ev.ID == list {
			if ev.Transfer == nil || ev.Transfer.Channel != made.ID.String() {
				t.Errorf("the event tells %+v", ev.Transfer)
			}
			break
		}
	}

	_, err = c.Remove(ctx, list, true)
	if share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "channel unfollow --delete-key "+made.ID.Short()) {
		t.Errorf("removing it: %v", err)
	}
	if _, err := c.Transfer(ctx, list); err != nil {
		t.Errorf("it went: %v", err)
	}
	for _, id := range []share.ID{other.ID, odd, leftover} {
		if _, err := c.Remove(ctx, id, false); err != nil {
			t.Errorf("removing what no channel needs: %v", err)
		}
	}
	if _, err := c.DropChannel(ctx, made.ID.String(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transfer(ctx, list); !errors.Is(err, share.ErrUnknown) {
		t.Errorf("when there is no channel its list is still here: %v", err)
	}
}
