package main

import (
	"context"

	"github.com/shoalnet/shoal/webui/api"
)

func openVerb() *verb {
	return &verb{
		name: "open", short: "open the web page, already signed in", group: "The node",
		long: `It prints a link that signs one browser in, once, and is good for a short while only. On a terminal of a ` +
			`desktop the browser is opened, too. The node serves the page when it was started with --web.`,
		examples: []example{
			{"shoal open", "in the browser of this desktop, or follow the link"},
			{"ssh box shoal open", "of a box far away, whose port is forwarded"},
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
		return nil // somebody else uses the link
	}
	var info api.Info
	if info, err = n.Info(ctx); err != nil {
		return err
	}
	if err := openBrowser(program, info.State, url); err != nil {
		out.say("%v; follow the link", err)
	}
	return nil
}
