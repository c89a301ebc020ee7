package main

import (
	"context"
	"errors"
	"time"

	"github.com/shoalnet/shoal/share"
)

// job is one transfer that a verb waits for.
type job struct {
	arg     string         // what the user wrote
	first   share.Transfer // as it was when it began
	t       share.Transfer // as it was last seen
	started time.Time
	moved   time.Time // when bytes last arrived, or the start
	room    roomWarning
	ended   bool
	err     error
}

func (j *job) name() string { return orElse(nameOf(j.t), j.arg) }

// nameOf returns the name of a transfer, or the beginning of its ID while the
// name is unknown.
func nameOf(t share.Transfer) string {
	if t.Name == "" && !t.ID.IsZero() || t.Name == t.ID.String() {
		return t.ID.Short()
	}
	return t.Name
}

// batch starts a job for each argument and waits until all have ended. A job that
// fails does not stop the others.
type batch struct {
	out      *output
	node     client
	now      func() time.Time
	progress *progress
	jobs     []*job
	silent   bool // the verb itself reports failures

	// begin asks the node to start the job.
	begin func(ctx context.Context, j *job) (share.Transfer, error)
	// look is called after each change of j.t. It ends the job when the job is done.
	look func(ctx context.Context, j *job) error
}

func newBatch(out *output, n client) *batch {
	return &batch{out: out, node: n, now: time.Now, progress: newProgress(out)}
}

// run returns when every job has ended or ctx is cancelled. Where there are
// several jobs their failures are reported as they happen.
func (b *batch) run(ctx context.Context, args []string) error {
	if err := b.wait(ctx, args); err != nil {
		return err
	}
	for _, j := range b.jobs {
		switch {
		case j.err == nil:
		case len(b.jobs) > 1:
			return share.Errorf(kindOf(j.err), "%w: %w", errReported, j.err)
		default:
			return j.err
		}
	}
	return nil
}

// wait is run, without the errors of jobs.
func (b *batch) wait(ctx context.Context, args []string) error {
	defer b.progress.clear()
	for _, arg := range args {
		b.jobs = append(b.jobs, &job{arg: arg})
	}
	for _, j := range b.jobs {
		t, err := b.begin(ctx, j)
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil:
			b.fail(j, err)
		default:
			j.started, j.moved = b.now(), b.now()
			j.first = t
			b.see(ctx, j, t)
		}
	}
	if going := b.going(); len(going) > 0 {
		b.progress.people(going)
		err := follow(ctx, b.node, going, func(ev share.Event) (bool, error) {
			b.event(ctx, ev)
			return len(b.going()) == 0, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) event(ctx context.Context, ev share.Event) {
	for _, j := range b.jobs {
		switch {
		case j.ended:
		case ev.Type == "": // time has passed
			b.ask(ctx, j)
		case ev.ID != j.t.ID && (ev.Was.IsZero() || ev.Was != j.t.ID):
		case ev.Type == share.EventRemoved:
			b.ask(ctx, j)
		case ev.Transfer != nil:
			t := *ev.Transfer
			if t.State != j.t.State {
				// The event may be older than what this verb has just done.
				if now, err := b.node.Transfer(ctx, ev.ID); err == nil {
					t = now
				}
			}
			b.see(ctx, j, t)
			if !j.ended {
				b.progress.update(j.t, b.going())
			}
		}
	}
	if ev.Type == "" {
		b.progress.people(b.going())
	}
}

// ask fetches the state of a transfer when no event reports it. A share gives up
// its provisional ID once it is hashed, but the node still finds it by that ID.
func (b *batch) ask(ctx context.Context, j *job) {
	switch t, err := b.node.Transfer(ctx, j.t.ID); {
	case err == nil:
		b.see(ctx, j, t)
	case errors.Is(err, share.ErrUnknown):
		b.fail(j, share.Errorf(share.Failed, "%s was removed", j.name()))
	}
}

// see records the state of a transfer that the node reported.
func (b *batch) see(ctx context.Context, j *job, t share.Transfer) {
	if t.Bytes != j.t.Bytes || t.State == share.Checking || t.State == share.Queued {
		j.moved = b.now()
	}
	j.t = t
	if t.State == share.Stopped {
		b.fail(j, stopped(t))
		return
	}
	if err := b.look(ctx, j); err != nil {
		b.fail(j, err)
	}
}

func (b *batch) fail(j *job, err error) {
	j.ended, j.err = true, err
	if len(b.jobs) > 1 && !b.silent {
		b.out.fail(err)
	}
}

// going returns the transfers that have not ended.
func (b *batch) going() []share.Transfer {
	var ts []share.Transfer
	for _, j := range b.jobs {
		if !j.ended {
			ts = append(ts, j.t)
		}
	}
	return ts
}

func (b *batch) ids() []share.ID {
	var ids []share.ID
	for _, j := range b.jobs {
		if j.err == nil {
			ids = append(ids, j.t.ID)
		}
	}
	return ids
}

// stopped is the error of a transfer in state Stopped.
func stopped(t share.Transfer) error {
	kind := share.Disk
	if t.Code != "" {
		kind = share.KindOfCode(t.Code)
	}
	return share.Errorf(kind, "%s: %s", nameOf(t), orElse(t.Reason, "stopped"))
}
