//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A channel outlives its publisher: bob followed it before alice left for good,
// carol gets it from him by its link alone, and dora goes on with the key. What
// a liar in the DHT says of it, be it old or forged, nobody takes.
//
//	alice (leaves) ── router ─┐
//	bob (mirrors) ─── router ─┤
//	carol ─────────── router ─┼─ core ── router ── guide
//	dora (alice's key) router ┤
//	liar ──────────── router ─┘
func TestAChannelOutlivesItsPublisher(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	alice, bob, carol, dora := at(t, net.Home("alice")), at(t, net.Home("bob")), at(t, net.Home("carol")), at(t, net.Home("dora"))
	guide, liar := at(t, net.Home("guide")), at(t, net.Home("liar"))
	guide.StartCmd(guide.guided("daemon", []string{"--bootstrap", "none"}, "--listen", "[::]:7000")).Event("ready", nil)
	daemon := func(u *user) *lab.Proc {
		p := u.StartCmd(u.guided("daemon", []string{"--bootstrap", guide.At(7000)}, "--listen", "[::]:7000",
			"--channel-poll", "1s", "--downloads", filepath.Join(u.home, "downloads")))
		p.Event("ready", nil)
		return p
	}

	first := daemon(alice)
	files := manyFiles(t, filepath.Join(t.TempDir(), "films"), 50)
	shared := alice.publish(files...)
	link := alice.channel("new", "films")[0].Link
	args := []string{"add", "films"}
	for _, s := range shared {
		args = append(args, s.ID) // the DHT knows where it is
	}
	alice.channel(args...)
	alice.untilChannel("films", "published with all 50", func(c channel) bool { return c.Entries == 50 && !c.Pending && c.Seq > 0 })
	key := filepath.Join(t.TempDir(), "films.key")
	alice.channel("export", "films", "--output", key)

	daemon(bob)
	bob.channel("follow", link, "--mirror", "1GB")
	seen := bob.untilChannel("films", "all of it is here", func(c channel) bool { return c.Entries == 50 })
	bob.until("all of the channel is mirrored", func(all []transfer) bool { return inState(all, "seeding") == 51 })
	old := observe(t, liar, guide, link)
	if status := first.Interrupt(); status != 0 {
		t.Errorf("alice's daemon: status %d", status)
	}

	daemon(carol)
	bare, _, _ := strings.Cut(link, "&dn=")
	carol.channel("follow", bare)
	carol.untilChannel("films", "all of it is here", func(c channel) bool { return c.Entries == 50 })
	hits := carol.search("film 17 type:video")
	if len(hits) != 1 || hits[0].Channel != seen.Key {
		t.Fatalf("carol finds %+v", hits)
	}
	got := arrived(t, carol.StartCmd(carol.bare("get", "--json", "--state", carol.state, "--output", t.TempDir(), hits[0].ID[:8])))
	identical(t, files[17], got.Path)

	daemon(dora)
	dora.channel("import", key)
	dora.untilChannel("films", "what it had is here", func(c channel) bool { return c.Own && !c.Restoring && c.Entries == 50 })
	late := random(t, filepath.Join(t.TempDir(), "film late.mkv"), 70_000, 99)
	dora.channel("add", "films", dora.publish(late)[0].ID)
	newest := dora.untilChannel("films", "published with 51", func(c channel) bool { return c.Entries == 51 && !c.Pending })
	for _, u := range []*user{bob, carol} {
		u.untilChannel("films", "the next version is here", func(c channel) bool { return c.Entries == 51 && c.Seq == newest.Seq })
		if hits := u.search("late"); len(hits) != 1 {
			t.Errorf("%s finds %+v", u.Name, hits)
		}
	}

	if old.seq >= newest.Seq {
		t.Fatalf("the old version has sequence %d, the new one %d", old.seq, newest.Seq)
	}
	forged := old
	forged.seq = newest.Seq + 1000
	n := answersOf(t, liar, guide, old)
	for _, lie := range []item{old, forged} {
		n.tell(lie)
		for _, u := range []*user{bob, carol, dora} {
			n.until(u.Addr, 3)
			if c := u.untilChannel("films", "there", func(channel) bool { return true }); c.Seq != newest.Seq || c.Entries != 51 {
				t.Errorf("%s took what a liar said, %+v: %+v", u.Name, lie, c)
			}
		}
	}
}

// The items in the DHT are those that libtorrent reads and writes.
//
//	alice ── router ─┐
//	bob ──── router ─┼─ core ── router ── guide
//	carol (libtorrent) ─ router ─┘
func TestChannelsAndLibtorrent(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	alice, bob, carol, guide := at(t, net.Home("alice")), at(t, net.Home("bob")), at(t, net.Home("carol")), at(t, net.Home("guide"))
	guide.StartCmd(guide.guided("daemon", []string{"--bootstrap", "none"}, "--listen", "[::]:7000")).Event("ready", nil)
	for _, u := range []*user{alice, bob} {
		u.StartCmd(u.guided("daemon", []string{"--bootstrap", guide.At(7000)}, "--channel-poll", "1s")).Event("ready", nil)
	}
	link := alice.channel("new", "films")[0].Link
	alice.channel("add", "films", lab.Magnet(strings.Repeat("a1", 20))+"&dn=One&xl=7")
	one := alice.untilChannel("films", "published", func(c channel) bool { return !c.Pending && c.Entries == 1 })
	bob.channel("follow", link)
	bob.untilChannel("films", "here", func(c channel) bool { return c.Entries == 1 })
	dht := []string{"--dht", "--listen", fmt.Sprintf("[%s]:6881", carol.Addr), "--node", guide.At(7000)}

	// What we put, libtorrent reads (dht_get_mutable_item).
	var read struct {
		Seq  int64
		Text string
	}
	p := carol.Libtorrent(append([]string{"read", one.Key, fmt.Sprint(one.Seq)}, dht...)...)
	p.Event("item", &read)
	if read.Seq != one.Seq || !strings.Contains(read.Text, "'ih'") || !strings.Contains(strings.ToLower(read.Text), one.Content) {
		t.Errorf("libtorrent read %+v, not an ih of %s with sequence %d", read, one.Content, one.Seq)
	}
	p.Wait()

	// What libtorrent puts (dht_put_mutable_item), we follow: it points back to
	// the first version, which is still seeded.
	alice.channel("add", "films", lab.Magnet(strings.Repeat("b2", 20))+"&dn=Two&xl=8")
	bob.untilChannel("films", "the second version is here", func(c channel) bool { return c.Entries == 2 })
	var exported struct{ Secret string }
	if err := json.Unmarshal([]byte(alice.verb("channel", "export", "films").Stdout()), &exported); err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`secret: ([0-9a-f]{64})`).FindStringSubmatch(exported.Secret)
	if secret == nil {
		t.Fatal("the key has no secret")
	}
	var put struct {
		Seq    int64
		Stored int
	}
	p = carol.Libtorrent(append([]string{"put", secret[1], one.Content, one.Key}, dht...)...)
	p.Event("put", &put)
	p.Wait()
	c := bob.untilChannel("films", "what libtorrent put is here", func(c channel) bool { return c.Entries == 1 && c.Seq > one.Seq })
	if c.Content != one.Content {
		t.Errorf("bob has %+v, libtorrent put %+v", c, put)
	}
}

// channel is what `channel` tells of one.
type channel struct {
	Key, Name, Link, Content, Error string
	BlindLink                       string `json:"blind_link"`
	Own, Pending, Restoring         bool
	Sealed, Blind                   bool
	Entries                         int
	Seq                             int64
}

// channel carries out `channel` with the running node.
func (u *user) channel(args ...string) (all []channel) {
	u.t.Helper()
	for line := range strings.Lines(u.verb("channel", args...).Stdout()) {
		var c channel
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			u.t.Fatalf("%s: channel: %v: %s", u.Name, err, line)
		}
		all = append(all, c)
	}
	return all
}

// untilChannel lists the channels until the one of that name is good.
func (u *user) untilChannel(name, what string, good func(channel) bool) channel {
	u.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		all := u.channel("list")
		for _, c := range all {
			if c.Name == name && good(c) {
				return c
			}
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("%s: not %s: %+v", u.Name, what, all)
		}
	}
}

type hit struct{ ID, Name, Channel string }

func (u *user) search(query string) (all []hit) {
	u.t.Helper()
	for line := range strings.Lines(u.verb("search", query).Stdout()) {
		var h hit
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			u.t.Fatalf("%s: search: %v: %s", u.Name, err, line)
		}
		all = append(all, h)
	}
	return all
}

// manyFiles makes n files with something of their own in each.
func manyFiles(t testing.TB, dir string, n int) (paths []string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		paths = append(paths, random(t, filepath.Join(dir, fmt.Sprintf("film %02d.mkv", i)), int64(20_000+i), byte(i)))
	}
	return paths
}
