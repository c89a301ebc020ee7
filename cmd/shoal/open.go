package main

import "context"

func openVerb() *verb {
	return &verb{
		name: "open", short: "print a link that opens the web page, signed in", group: "The node",
		long: `The link signs one browser in, once, and is good for a short while only. The node serves the page when it ` +
			`was started with --web.`,
		examples: []example{
			{"shoal open", "then follow the link"},
			{"xdg-open \"$(shoal open)\"", "in the browser of this desktop"},
		},
		flags: nodeFlags(),
		run: func(ctx context.Context, c *call) error {
			return withNode(ctx, c, true, func(ctx context.Context, n client, _ lifetime) error {
				return runOpen(ctx, n, c.out)
			})
		},
	}
}

func runOpen(ctx context.Context, n client, out *output) error {
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
	return nil
}
