package main

import (
	"context"
	"errors"

	"github.com/shoalnet/shoal/share"
)

// exits is the one table of exit statuses. A share.Kind is its own status; the
// help, the manual page and the README repeat what stands here.
var exits = [...]struct {
	kind  share.Kind
	means string
}{
	{0, "done"},
	{share.Failed, "failed"},
	{share.Usage, "wrong usage"},
	{share.Nobody, "nobody who has it was found in time"},
	{share.NoNode, "no node is running"},
	{share.Refused, "the link or torrent was refused"},
	{share.Disk, "disk or data error"},
	{share.Interrupted, "interrupted"},
}

// kindOf is share.KindOf, with an interruption recognised however deep in the
// call it struck.
func kindOf(err error) share.Kind {
	if _, ok := errors.AsType[*share.Error](err); !ok && errors.Is(err, context.Canceled) {
		return share.Interrupted
	}
	return share.KindOf(err)
}

// errInterrupted is what a verb returns when it was told to end.
var errInterrupted = share.Errorf(share.Interrupted, "interrupted")

// errNotLasting is what --detach meets where the node would not stay.
var errNotLasting = share.Errorf(share.NoNode,
	"the node that is running belongs to another command and ends with it (shoal daemon starts one that stays)")

func usageErrorf(format string, args ...any) error {
	return share.Errorf(share.Usage, format, args...)
}
