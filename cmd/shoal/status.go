package main

import (
	"context"
	"errors"

	"github.com/shoalnet/shoal/share"
)

// exits is the table of exit statuses. The exit status is the share.Kind of the
// error; the help, the manual page and the README repeat this table.
var exits = [...]struct {
	kind  share.Kind
	means string
}{
	{0, "done"},
	{share.Failed, "failed"},
	{share.Usage, "wrong usage"},
	{share.Nobody, "no peer with the content was found in time"},
	{share.NoNode, "no node is running"},
	{share.Refused, "the link or torrent was refused"},
	{share.Disk, "disk or data error"},
	{share.Interrupted, "interrupted"},
}

// kindOf is share.KindOf, but also recognises an interruption that is wrapped in
// other errors.
func kindOf(err error) share.Kind {
	if _, ok := errors.AsType[*share.Error](err); !ok && errors.Is(err, context.Canceled) {
		return share.Interrupted
	}
	return share.KindOf(err)
}

// errInterrupted is the error of a verb that was interrupted.
var errInterrupted = share.Errorf(share.Interrupted, "interrupted")

// errNotLasting is the error of --detach if the running node is not a daemon.
var errNotLasting = share.Errorf(share.NoNode,
	"the running node belongs to another command and ends with it (start a lasting one: shoal daemon)")

func usageErrorf(format string, args ...any) error {
	return share.Errorf(share.Usage, format, args...)
}
