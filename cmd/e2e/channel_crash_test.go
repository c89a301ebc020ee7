//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// Who publishes a channel and who follows it are killed at random moments, in
// the middle of publishing, fetching and loading. The sequence of neither ever
// goes back, what was put in stays in, and what the follower can search is a
// version as it was published, never a part of one.
//
//	alice (killed) ── router ─┐
//	bob (killed) ──── router ─┼─ core ── router ── guide
func TestKilledWhilePublishing(t *testing.T) {
	if soak() {
		t.Skip("TestSoakKilledWhilePublishing is the long version")
	}
	t.Parallel()
	killWhilePublishing(t, 20)
}

// TestSoakKilledWhilePublishing is TestKilledWhilePublishing for longer.
func TestSoakKilledWhilePublishing(t *testing.T) {
	if !soak() {
		return
	}
	killWhilePublishing(t, 200)
}

func killWhilePublishing(t *testing.T, kills int) {
	const batch = 40
	net := lab.New(t)
	alice, bob, guide := at(t, net.Home("alice")), at(t, net.Home("bob")), at(t, net.Home("guide"))
	guide.StartCmd(guide.guided("daemon", []string{"--bootstrap", "none"}, "--listen", "[::]:7000")).Event("ready", nil)
	daemon := func(u *user) *lab.Proc {
		p := u.StartCmd(u.guided("daemon", []string{"--bootstrap", guide.At(7000)}, "--listen", "[::]:7000",
			"--channel-poll", "1s", "--downloads", filepath.Join(u.home, "downloads")))
		p.Event("ready", nil)
		return p
	}
	publisher, follower := daemon(alice), daemon(bob)
	bob.channel("follow", alice.channel("new", "films")[0].Link)
	key := alice.channel("list")[0].Key

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	var ours, theirs int64 = -1, -1
	check := func(kill, batches int) {
		t.Helper()
		c := alice.channel("list")[0]
		if c.Seq < ours || c.Entries != batch*batches {
			t.Errorf("kill %d: alice had sequence %d and put in %d: %+v", kill, ours, batch*batches, c)
		}
		ours = c.Seq
		c, n := bob.shown(key)
		if c.Seq < theirs || n%batch != 0 || n > batch*batches {
			t.Errorf("kill %d: bob had sequence %d, alice has %d: %d entries of %+v", kill, theirs, ours, n, c)
		}
		theirs = c.Seq
	}
	for kill := range kills {
		args := []string{"add", "films"}
		for i := range batch {
			args = append(args, fmt.Sprintf("%s&dn=film+%d+%d", lab.Magnet(fmt.Sprintf("%020x%020x", kill+1, i+1)), kill, i))
		}
		alice.channel(args...)
		publish := alice.StartCmd(alice.bare("channel", "publish", "films", "--json", "--state", alice.state))
		time.Sleep(time.Duration(dice.Int64N(int64(300 * time.Millisecond))))
		who := dice.IntN(3) + 1
		if who&1 != 0 {
			publisher.Kill()
		}
		if who&2 != 0 {
			follower.Kill()
		}
		publish.Wait()
		var said channel
		if json.Unmarshal([]byte(publish.Stdout()), &said) == nil && said.Key != "" {
			ours = max(ours, said.Seq)
		}
		if who&1 != 0 {
			publisher = daemon(alice)
		}
		if who&2 != 0 {
			follower = daemon(bob)
		}
		check(kill, kill+1)
		if t.Failed() {
			t.FailNow()
		}
	}
	last := alice.untilChannel("films", "published whole", func(c channel) bool { return !c.Pending && c.Entries == batch*kills })
	bob.untilChannel("films", "here as it was published", func(c channel) bool { return c.Seq == last.Seq && c.Entries == batch*kills })
	// What they left behind is gone after a start and a version more.
	publisher.Kill()
	daemon(alice)
	alice.channel("drop", "films", fmt.Sprintf("%020x%020x", 1, 1))
	alice.channel("publish", "films")
	alice.until("no more than two catalogues are kept", func(all []transfer) bool { return len(all) <= 2 })
	bob.until("one catalogue is kept", func(all []transfer) bool { return len(all) == 1 })
	if hits := bob.search(fmt.Sprintf("film %d channel:%s", kills-1, key)); len(hits) < 20 {
		t.Errorf("bob finds %d of the last batch", len(hits))
	}
}

// shown is a channel and how many of its entries the catalogue has.
func (u *user) shown(key string) (c channel, entries int) {
	u.t.Helper()
	out := u.verb("channel", "show", key, "--limit", "1000").Stdout()
	for line := range strings.Lines(out) {
		if entries == 0 && c.Key == "" {
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				u.t.Fatalf("%s: channel show: %v: %s", u.Name, err, line)
			}
			continue
		}
		entries++
	}
	return c, entries
}
