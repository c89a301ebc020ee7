package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/klauspost/compress/zstd"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// rogue publishes anything as a channel, on a node of its own.
type rogue struct {
	t      *testing.T
	n      *Node
	secret ed25519.PrivateKey
	seq    int64
}

func newRogue(t *testing.T, n *Node) *rogue {
	_, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &rogue{t: t, n: n, secret: secret}
}

func (r *rogue) key() index.ChannelID {
	return index.ChannelID(r.secret.Public().(ed25519.PublicKey))
}

// publish shares a file that begins like a catalogue and continues with what fill writes,
// and puts an item that points to it.
func (r *rogue) publish(fill func(*packed)) share.ID {
	r.t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		r.t.Fatal(err)
	}
	defer z.Close()
	p := &packed{z: z}
	p.text(`{"format":"shoal-channel","version":1,"key":"` + r.key().String() + `","name":"rogue"}` + "\n")
	fill(p)
	path := filepath.Join(r.t.TempDir(), "shoal-channel.jsonl.zst")
	if err := os.WriteFile(path, p.b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	id := shared(r.t, r.n.Client(), path).ID
	r.seq++
	it := index.Item{Value: append([]byte("d2:ih20:"), append(id[:], 'e')...), Key: r.key(), Seq: r.seq}
	copy(it.Sig[:], bep44.Sign(r.secret, nil, it.Seq, it.Value))
	if _, err := r.n.dht.PutMutable(testContext(r.t), it, nil); err != nil {
		r.t.Fatal(err)
	}
	return id
}

// packed is zstd, frame after frame.
type packed struct {
	z *zstd.Encoder
	b []byte
}

func (p *packed) text(s string) { p.b = p.z.EncodeAll([]byte(s), p.b) }

// repeat is s so many times at least, of which only a few megabytes are ever
// made: the frame that they are is repeated.
func (p *packed) repeat(s string, times int) {
	n := max(1, 4<<20/len(s))
	frame := p.z.EncodeAll([]byte(strings.Repeat(s, n)), nil)
	p.b = append(p.b, bytes.Repeat(frame, (times+n-1)/n)...)
}

// follower is a node that follows channels, and fetches their catalogues from another.
type follower struct {
	t    *testing.T
	n    *Node
	c    *api.Client
	from *Node
}

// until waits until good returns true for a channel.
func (f *follower) until(key index.ChannelID, content share.ID, what string, good func(index.Channel) bool) index.Channel {
	f.t.Helper()
	var last index.Channel
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		// A node ignores loopback addresses from strangers.
		_ = f.n.engine.AddPeers(content, share.FromUser, f.from.addresses.own())
		var err error
		if last, err = f.c.Channel(context.Background(), key.String()); err != nil {
			f.t.Fatal(err)
		}
		if good(last) {
			return last
		}
	}
	f.t.Fatalf("the channel is not %s: %+v", what, last)
	return last
}

func (f *follower) search(query string) []index.Hit {
	f.t.Helper()
	r, err := f.c.Search(context.Background(), index.Query{Text: query})
	if err != nil {
		f.t.Fatal(err)
	}
	return r.Hits
}

// Whatever a hostile publisher puts into a catalogue, its followers show its entries at
// most, and nothing else on their nodes changes.
func TestFollowingAHostileChannel(t *testing.T) {
	pub := startDaemon(t, options(t, stateDir(t), nil))
	n := startDaemon(t, options(t, stateDir(t), map[string][]string{"channel-poll": {"1s"}}))
	for _, a := range n.addresses.own() {
		pub.dht.AddNode(a)
	}
	f := &follower{t, n, n.Client(), pub}
	folder, _ := content(t)
	own := shared(t, f.c, folder)
	follow := func(key index.ChannelID) {
		t.Helper()
		if _, err := f.c.AddChannel(testContext(t), api.NewChannel{Link: index.ChannelLink{ID: key}.String()}); err != nil {
			t.Fatal(err)
		}
	}
	text := func(s string) func(*packed) { return func(p *packed) { p.text(s) } }
	id := strings.Repeat("ab", 20)
	line := func(fields string) string { return `{"id":"` + id + `",` + fields + "}\n" }

	good := newRogue(t, pub)
	first := good.publish(text(line(`"name":"honest thing"`)))
	follow(good.key())
	f.until(good.key(), first, "here", func(c index.Channel) bool { return c.Entries == 1 })

	for name, fill := range map[string]func(*packed){
		"unpacks to more":                func(p *packed) { p.repeat(line(`"name":"bomb"`), 3_000_000) },
		"a line of the catalogue has":    func(p *packed) { p.repeat(" ", 1<<30) },
		"line of the catalogue has more": func(p *packed) { p.text(`{"id":"` + id + `","tags":[`); p.repeat(`"a",`, 1_000_000_000) },
	} {
		r := newRogue(t, pub)
		at := r.publish(fill)
		follow(r.key())
		c := f.until(r.key(), at, "refused", func(c index.Channel) bool { return strings.Contains(c.Error, name) })
		if hits := f.search("channel:" + r.key().String()); c.Entries != 0 || len(hits) != 0 {
			t.Errorf("%s: %d entries, %d found", name, c.Entries, len(hits))
		}
	}

	for name, x := range map[string]struct {
		line, name, link string
	}{
		"invalid UTF-8":      {line("\"name\":\"\xff\xfeodd\""), "\ufffd\ufffdodd", ""},
		"control characters": {line(`"name":"\u001b[2Jx\u202egpj\u0000","tags":["\u0007t"],"about":"\u001b]0;x"`), "[2Jxgpj", ""},
		"loopback":           {line(`"name":"n","link":"magnet:?xt=urn:btih:` + id + `&x.pe=[::1]:1&x.pe=127.0.0.1:2&x.pe=[2600::5]:3&tr=http%3A%2F%2Flocalhost%2Fa"`), "n", "&x.pe=[2600::5]:3"},
		"a thousand tags":    {line(`"name":"tags","tags":["x` + strings.Repeat(`","x`, 1000) + `"]`), "tags", ""},
	} {
		r := newRogue(t, pub)
		at := r.publish(text(x.line))
		follow(r.key())
		f.until(r.key(), at, "here", func(c index.Channel) bool { return c.Entries == 1 })
		hits := f.search("channel:" + r.key().String())
		if len(hits) != 1 || hits[0].Name != x.name || !strings.HasSuffix(hits[0].Link, x.link) || strings.Contains(hits[0].Link, "::1]") || len(hits[0].Tags) > 1 {
			t.Errorf("%s: found %+v", name, hits)
		}
		if _, err := f.c.DropChannel(context.Background(), r.key().String(), false); err != nil {
			t.Error(err)
		}
	}

	// A channel that lists what this node shares, with another name and its own address.
	liar := newRogue(t, pub)
	at := liar.publish(text(`{"id":"` + own.ID.String() + `","name":"pretended","channel":"","own":true,"path":"/etc/passwd","link":"magnet:?xt=urn:btih:` + id + `"}` + "\n"))
	follow(liar.key())
	f.until(liar.key(), at, "here", func(c index.Channel) bool { return c.Entries == 1 })
	for query, want := range map[string]int{"channel:me holiday": 1, "holiday": 1, "channel:me pretended": 0, "channel:me": 1} {
		hits := f.search(query)
		if len(hits) != want || want == 1 && (hits[0].ID != own.ID || hits[0].Name != own.Name || !hits[0].Channel.IsZero()) {
			t.Errorf("%q finds %+v", query, hits)
		}
	}
	for _, h := range f.search("pretended") {
		if l, err := share.ParseLink(h.Link); h.Channel != liar.key() || err != nil || l.ID != own.ID {
			t.Errorf("found %+v, %v", h, err)
		}
	}
	if _, err := f.c.DropChannel(context.Background(), liar.key().String(), false); err != nil {
		t.Error(err)
	}
	if hits := f.search("holiday"); len(hits) != 1 || !hits[0].Channel.IsZero() {
		t.Errorf("this node's own went with the channel: %+v", hits)
	}

	// A good channel that turns bad stays as it was, and can become good again.
	bad := good.publish(func(p *packed) { p.repeat(" ", 1<<30) })
	c := f.until(good.key(), bad, "refused", func(c index.Channel) bool { return c.Error != "" })
	if hits := f.search("honest"); len(hits) != 1 || c.Entries != 1 || c.Content != first {
		t.Errorf("%+v, found %+v", c, hits)
	}
	next := good.publish(text(line(`"name":"honest again"`)))
	f.until(good.key(), next, "good again", func(c index.Channel) bool { return c.Error == "" && c.Content == next })
	if hits := f.search("honest"); len(hits) != 1 || hits[0].Name != "honest again" {
		t.Errorf("found %+v", hits)
	}
}
