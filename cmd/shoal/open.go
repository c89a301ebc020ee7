package main

import (
	"context"

	"github.com/shoalnet/shoal/webui/api"
)

func openVerb() *verb {
	return &verb{
		name: "open", short: "open the web page, already signed in", group: "The node",
		long: `Prints a link that signs in one browser. It works once and expires after a short time. On a ` +
			`desktop it also opens the browser. The node serves the page if it was started with --web.`,
		examples: []example{
			{"shoal open", "open the page in your browser"},
			{"ssh box shoal open", "print the link of a remote machine whose port is forwarded"},
		},
		flags: nodeFlags(),
		run: func(ctx context.Context, c *call) error {
			return withNode(ctx, c, true, func(ctx context.Context, n client, _ lifetime) error {
				return runOpen(ctx, n, c.out, thisDesktop)
			})
		},
	}
}

func runOpen(ctx context.Context, n client, out *output, desktop func() ([]string, bool)) error {
	url, err := n.SignIn(ctx)
	if err != nil {
		return err
	}
	if out.json {
		out.record(struct {
			URL string `json:"url"`
		}{url})
		return nil
	}
	out.data(url)
	program, ok := desktop()
	if !ok || out.page == nil {
		return nil
	}
	var info api.Info
	if info, err = n.Info(ctx); err != nil {
		return err
	}
	if err := openBrowser(program, info.State, url); err != nil {
		out.say("%v; open the link yourself", err)
	}
	return nil
}
