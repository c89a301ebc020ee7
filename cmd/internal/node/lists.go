package node

import (
	"os"
	"strings"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// explainer adds to a transfer what only the node knows: why the disk guard paused it,
// and which channel's list it is.
type explainer struct {
	guard *policy.Guard
	lists string // the folder of the channels, with a separator at its end
}

func (n *Node) explainer() explainer {
	return explainer{n.guard, ChannelDir(n.o.Config.State) + string(os.PathSeparator)}
}

// has reports whether there may be something to add.
func (e explainer) has(t *share.Transfer) bool {
	return t.State == share.Paused || strings.HasPrefix(t.Path, e.lists)
}

func (e explainer) explain(t *share.Transfer) {
	e.guard.Explain(t)
	t.Channel = e.channel(t)
}

// channel returns the ID of the channel whose list a transfer is, or "". Lists are below
// a folder with the ID of their channel.
func (e explainer) channel(t *share.Transfer) string {
	rest, ok := strings.CutPrefix(t.Path, e.lists)
	if !ok {
		return ""
	}
	key, _, _ := strings.Cut(rest, string(os.PathSeparator))
	if _, err := index.ParseChannelID(key); err != nil {
		return ""
	}
	return key
}
