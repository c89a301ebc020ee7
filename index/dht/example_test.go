package dht_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/dht"
	"github.com/shoalnet/shoal/share"
)

// run starts a node on the loopback that knows another one, and returns its address. The
// node ends with ctx.
func run(ctx context.Context, bootstrap ...string) (node *dht.Node, address string, ended <-chan error) {
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		log.Fatal(err)
	}
	node, err = dht.New(dht.Config{
		Conns:     []*net.UDPConn{conn},                 // Run closes it
		Bootstrap: bootstrap,                            // in the internet: dht.DefaultBootstrap()
		Port:      func() uint16 { return 6881 },        // where this node's BitTorrent listens
		Seeding:   func(share.ID) bool { return false }, // for the counts of Scrape
	})
	if err != nil {
		log.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- node.Run(ctx) }()
	return node, conn.LocalAddr().String(), end
}

// A node announces what it has, and another one finds it.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	first, address, firstEnded := run(ctx)
	second, _, secondEnded := run(ctx, address)
	<-first.Ready()
	<-second.Ready()

	id, err := share.ParseID("0123456789abcdef0123456789abcdef01234567")
	if err != nil {
		log.Fatal(err)
	}
	second.Announce(id) // until Withdraw, or the end of the node
	for second.Stats().Announce.Announced == 0 {
		time.Sleep(10 * time.Millisecond)
	}

	patience, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	peers, err := first.GetPeers(patience, id)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range peers {
		fmt.Println(p)
	}

	stop()
	<-firstEnded
	<-secondEnded
	// Output: [::1]:6881
}

// What is stored under a key can be replaced by whoever has the private key, and by nobody
// else (BEP 44).
func ExampleNode_PutMutable() {
	ctx, stop := context.WithCancel(context.Background())
	first, address, firstEnded := run(ctx)
	second, _, secondEnded := run(ctx, address)
	<-first.Ready()
	<-second.Ready()
	patience, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	key := index.ChannelID(public)
	put := func(seq int64, value string) {
		item := index.Item{Key: key, Salt: []byte("news"), Seq: seq, Value: fmt.Appendf(nil, "%d:%s", len(value), value)}
		signed := fmt.Appendf(nil, "4:salt%d:%s3:seqi%de1:v%s", len(item.Salt), item.Salt, seq, item.Value)
		copy(item.Sig[:], ed25519.Sign(private, signed))
		if _, err := second.PutMutable(patience, item, nil); err != nil {
			log.Fatal(err)
		}
	}
	put(1, "hello")
	put(2, "hello again")

	item, err := first.GetMutable(patience, key, []byte("news"), -1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d %s\n", item.Seq, item.Value)

	stop()
	<-firstEnded
	<-secondEnded
	// Output: 2 11:hello again
}
