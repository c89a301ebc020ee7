package main

import "slices"

// lookers are the verbs that need a state to be of use: where there is none they
// say so and make none. Of the channel verb they are the actions.
var lookers = []string{
	"list", "show", "files", "peers", "search", "doctor", "pause", "resume", "verify", "remove",
	"channel list", "channel show",
}

// looks tells that this call makes nothing where there is nothing.
func (c *call) looks() bool {
	name := c.Command.Name
	if name == "channel" {
		name += " " + c.Args().First()
	}
	return slices.Contains(lookers, name)
}
