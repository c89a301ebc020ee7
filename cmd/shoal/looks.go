package main

import (
	"context"
	"strings"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
)

// use is what a verb does with a node where none is running.
type use int

const (
	// apart: it runs none.
	apart use = iota + 1
	// reads: what is kept is read and shown. Nothing listens, seeds or announces,
	// and nothing in the state directory changes.
	reads
	// acts: a node does what was asked for, and the rest of its work meanwhile.
	acts
	// actsOn: the same, but on what is kept: where there is no state, none is made.
	actsOn
)

// uses has every verb; of those with actions, each action. A verb that reads
// without one of its flags and acts with it has a line for each.
var uses = map[string]use{
	"share": acts, "get": acts, "daemon": acts, "limit": reads,
	"limit --down": acts, "limit --up": acts,
	"list": reads, "show": reads, "search": reads, "files": reads,
	"files --want": actsOn, "files --skip": actsOn,
	"doctor": actsOn, "pause": actsOn, "resume": actsOn, "verify": actsOn, "remove": actsOn,
	"peers": apart, "open": apart, // they need a node that runs
	"link": apart, "config": apart, "recover": apart, "completion": apart, "complete": apart, "version": apart, "help": apart,
	"channel list": reads, "channel show": reads, "channel export": apart,
	"channel new": acts, "channel add": acts, "channel drop": acts, "channel publish": acts, "channel edit": acts,
	"channel follow": acts, "channel unfollow": acts, "channel import": acts,
}

// use is what this call does where no node is running.
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
		o.Look = !has // there is nothing to act on, which it says
	}
	return node.Open(ctx, o)
}
