//go:build ignore

// Shares a path by a running node, or downloads a link, by the API client of shoal:
//
//	go run docs/examples/share.go share PATH
//	go run docs/examples/share.go get LINK FOLDER
//
// The node is that of the control socket in SHOAL_STATE.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client := api.NewClient(func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(os.Getenv("SHOAL_STATE"), "shoal.sock"))
	})
	defer client.Close()
	if err := run(ctx, client, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, client *api.Client, args []string) error {
	// Hello refuses a node of another version.
	if _, err := client.Hello(ctx); err != nil {
		return err
	}
	switch {
	case len(args) == 2 && args[0] == "share":
		path, err := filepath.Abs(args[1])
		if err != nil {
			return err
		}
		t, err := client.Share(ctx, api.ShareRequest{Path: path})
		if err == nil {
			t, err = wait(ctx, client, t)
		}
		fmt.Println(t.Link)
		return err
	case len(args) == 3 && args[0] == "get":
		folder, err := filepath.Abs(args[2])
		if err != nil {
			return err
		}
		t, err := client.Fetch(ctx, api.FetchRequest{Link: args[1], Output: folder})
		if err == nil {
			t, err = wait(ctx, client, t)
		}
		fmt.Println(t.Path)
		return err
	}
	return fmt.Errorf("usage: share PATH, or get LINK FOLDER")
}

// wait follows a transfer until it is seeded, or has failed. Until the hashes of a share
// are known it has a provisional ID, which Watch follows to the real one.
func wait(ctx context.Context, client *api.Client, t share.Transfer) (share.Transfer, error) {
	for update, err := range client.Watch(ctx, api.WatchOptions{IDs: []share.ID{t.ID}, NoStats: true}) {
		if err != nil {
			return t, err
		}
		for _, now := range update.Transfers {
			t = now
		}
		switch t.State {
		case share.Seeding:
			return t, nil
		case share.Stopped:
			return t, fmt.Errorf("%s: %s", t.Name, t.Reason)
		}
	}
	return t, ctx.Err()
}
