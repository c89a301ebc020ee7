package main

import (
	"context"
	"strings"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
)

// use is what a verb does if no node is running.
type use int

const (
	// apart: it starts no node.
	apart use = iota + 1
	// reads: it shows the stored state. Nothing listens, seeds or announces, and
	// nothing in the state directory changes.
	reads
	// acts: it starts a node that does what was asked, and its other work meanwhile.
	acts
	// actsOn: the same, but only if there is a state; it creates none.
	actsOn
)

// uses has every verb and, for verbs with actions, every action. A verb that acts
// only with certain flags has a line for each of them.
var uses = map[string]use{
	"share": acts, "get": acts, "receive": acts, "import": acts, "daemon": acts, "limit": reads,
	"limit --down": acts, "limit --up": acts,
	"list": reads, "show": reads, "search": reads, "files": reads,
	"files --want": actsOn, "files --skip": actsOn,
	"doctor": actsOn, "pause": actsOn, "resume": actsOn, "verify": actsOn, "remove": actsOn,
	"peers": apart, "open": apart, "health": apart, // they need a running node
	"link": apart, "config": apart, "recover": apart, "completion": apart, "complete": apart, "version": apart, "help": apart,
	"channel list": reads, "channel show": reads, "channel export": apart,
	"channel new": acts, "channel add": acts, "channel drop": acts, "channel publish": acts, "channel edit": acts,
	"channel follow": acts, "channel unfollow": acts, "channel import": acts,
}

// use is what this call does if no node is running.
func (c *call) use() use {
	name := c.Command.Name
	if name == "channel" {
		name += " " + c.Args().First()
	}
	for line, u := range uses {
		if verb, flag, with := strings.Cut(line, " --"); with && verb == name && c.IsSet(flag) {
			return u
		}
	}
	return uses[name]
}

// open reaches the running node or starts one, as the verb needs it.
func (c *call) open(ctx context.Context, cfg *config.Config) (*node.Session, error) {
	o := node.Options{Config: cfg, Version: buildVersion().Version, Stderr: c.out.log(), Look: c.use() == reads}
	if c.use() == actsOn {
		s, err := node.Dial(ctx, cfg.State)
		if err == nil || kindOf(err) != share.NoNode {
			return s, err
		}
		has, err := node.HasState(cfg.State)
		if err != nil {
			return nil, err
		}
		o.Look = !has // there is nothing to act on, and the node says so
	}
	return node.Open(ctx, o)
}
