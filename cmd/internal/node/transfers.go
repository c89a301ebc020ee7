package node

import (
	"path/filepath"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/cmd/internal/uploads"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/webui/api"
)

// The engine is what the API needs of transfers and content. Of transfers, the node
// changes what the methods below say.
var (
	_ api.Transfers = (*engine.Engine)(nil)
	_ api.Transfers = (*transfers)(nil)
	_ api.Content   = (*engine.Engine)(nil)
)

// transfers is the engine's transfers with what only the node knows of them: why the
// disk guard holds one, which channel needs it, and whether a browser uploaded it.
type transfers struct {
	*engine.Engine
	explainer explainer
	guard     *policy.Guard
	channels  *channel.Manager
	uploads   *uploads.Store
}

func (t *transfers) List() []share.Transfer {
	all := t.Engine.List()
	for i := range all {
		t.explainer.explain(&all[i])
	}
	return all
}

func (t *transfers) Get(id share.ID) (share.Transfer, error) {
	v, err := t.Engine.Get(id)
	t.explainer.explain(&v)
	return v, err
}

// Pause pauses a transfer for the user: the disk guard does not resume it.
func (t *transfers) Pause(id share.ID) error {
	t.guard.Forget(id)
	return t.Engine.Pause(id)
}

// Resume also resumes what the disk guard paused.
func (t *transfers) Resume(id share.ID) error {
	t.guard.Forget(id)
	return t.Engine.Resume(id)
}

// Remove removes a transfer, unless a channel of this node needs it. With data it
// deletes what was downloaded, or the copy that a browser uploaded. What mirrors also
// want stays for them.
func (t *transfers) Remove(id share.ID, data bool) ([]share.Kept, error) {
	v, err := t.Engine.Get(id)
	found := err == nil // else the engine says why not
	if found {
		if err := t.free(&v); err != nil {
			return nil, err
		}
	}
	copied := ""
	if found && data && v.Own {
		is, err := t.isUpload(&v)
		if err != nil {
			return nil, err
		}
		if is {
			copied = v.Path
		}
	}
	if left, err := t.LeaveToChannels(id, data); left || err != nil {
		return nil, err
	}
	kept, err := t.Engine.Remove(id, data)
	if err != nil || copied == "" {
		return kept, err
	}
	return kept, t.uploads.Delete(copied)
}

// free refuses a transfer that is the list of a channel, for as long as the node has
// the channel.
func (t *transfers) free(v *share.Transfer) error {
	key := t.explainer.channel(v)
	if key == "" {
		return nil
	}
	c, err := t.channels.Resolve(key)
	if err != nil {
		return nil // the channel is gone and its list was left behind
	}
	name := c.Name
	if name == "" {
		name = c.ID.Short()
	}
	how := "unfollow it instead (shoal channel unfollow " + c.ID.Short() + ")"
	if c.Own {
		how = "give it up instead (shoal channel unfollow --delete-key " + c.ID.Short() + ")"
	}
	return share.Errorf(share.Usage, "%s is the list of the channel %q, which needs it: %s", filepath.Base(v.Path), name, how)
}

// isUpload reports whether v shares all of what a browser uploaded, not a part of
// it: nothing else that is shared may be deleted. It refuses an upload of which
// another transfer shares a part, or that is a part of another.
func (t *transfers) isUpload(v *share.Transfer) (bool, error) {
	if !t.uploads.Has(v.Path) {
		return false, nil
	}
	for _, other := range t.Engine.List() {
		if other.ID != v.ID && (within(other.Path, v.Path) || within(v.Path, other.Path)) {
			return false, share.Errorf(share.Usage, "%s stays: %s needs it, too; remove that first, or this without its data", v.Path, other.ID.Short())
		}
	}
	return true, nil
}
