package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/infofetch"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// transfer is one piece of content. It is owned by the loop.
type transfer struct {
	row

	// done: every selected file is complete. It is what was true when last
	// looked; files that change while the transfer is at rest are found out
	// when it is woken.
	done     bool
	looked   time.Time // when the files were last looked at, in this run
	failure  error     // why it is stopped, unless its storage says so
	retry    time.Time // when to try again by itself; zero is never
	wished   bool      // wantsSlot, when last looked
	slot     bool      // it may fetch now
	removing *removal
	wipe     bool // what was begun where it was is deleted when it restarts
	ended    bool // being removed, but what is known of its files is kept
	reused   bool // made is not of this hashing but of an earlier one
	afresh   bool // earlier ones were of no use
	parked   bool // a share whose ID somebody else claims
	job      *job

	phase     phase
	info      *metainfo.Info  // nil at rest, mostly
	looking   bool            // files are being looked at, see lookAt
	lookBegan time.Time       // when the file system was last asked
	silent    bool            // it does not answer
	lookers   []chan struct{} // closed when files were looked at, or will not be
	glancing  bool            // opened only to see whether files are as they were
	restoring bool            // restore is to be called when that is over
	made      *metainfo.Made  // just hashed; storage does not know of it yet
	announced bool
	streams   streams
	waiters   []chan struct{} // closed when it is attached, or will not be
	book      *book
	search    search
	tallies   []tally
	asking    *infofetch.Fetch
	down, up  *flow.Bucket

	// Bytes read by jobHash and jobCheck, and bytes that there are.
	hashed, toHash atomic.Int64

	shown share.Transfer // as in the last event
	stale bool           // the next second has to look whether to tell
}

// job is the one thing that is being done for a transfer outside the loop.
type job struct {
	what   jobKind
	cancel context.CancelFunc
}

type jobKind int

const (
	jobHash    jobKind = iota // reading a share for the first time
	jobAsk                    // getting the info dictionary from peers
	jobOpen                   // opening its storage
	jobAttach                 // adding it to the client library
	jobCheck                  // hashing what is on disk
	jobCopy                   // taking what is elsewhere on disk
	jobRestart                // forgetting what is known of files elsewhere
	jobFinish                 // making what has no bytes
	jobDetach
	jobClose
	jobRemove
)

// known tells whether the info dictionary is kept in Config.Dir.
func (t *transfer) known() bool { return t.kind != kindUnhashed && t.row.files > 0 }

func (t *transfer) own() bool { return t.kind != kindFetch }

// checking tells whether data on disk is being hashed before it is trusted, or
// is to be.
func (t *transfer) checking() bool {
	o := t.opened()
	return t.options.Verify || o != nil && o.proving && t.done || t.job != nil && t.job.what == jobCheck
}

func (t *transfer) state() share.State {
	switch {
	case t.kind == kindUnhashed && t.options.Paused:
		return share.Paused
	case t.failure != nil:
		return share.Stopped
	case t.kind == kindUnhashed: // also when only storage does not know of it yet
		return share.Hashing
	case t.silent:
		return share.Stopped
	case t.level() == atRest && t.options.Damage != "" && !t.options.Paused && !t.options.Verify:
		return share.Stopped // as it was when last looked
	case t.known() && t.checking() && (t.fault() == nil || t.options.Verify && (errors.Is(t.fault(), storage.ErrMissing) || errors.Is(t.fault(), storage.ErrChanged))):
		return share.Checking
	case t.options.Paused:
		return share.Paused
	case t.fault() != nil:
		return share.Stopped
	case !t.known():
		return share.Finding
	case t.done:
		return share.Seeding
	case !t.slot:
		return share.Queued
	}
	return share.Fetching
}

// reason says in plain words why t does not get on.
func (t *transfer) reason(now time.Time) string {
	switch t.state() {
	case share.Stopped:
		err := cmp.Or(t.failure, t.fault())
		switch {
		case t.failure == nil && t.silent:
			return "the disk or network share that " + t.shownPath() + " is on does not answer"
		case err == nil:
			return t.options.Damage
		}
		if wait := t.retry.Sub(now); t.failure != nil && wait > 0 {
			return fmt.Sprintf("%v; next try in %s", err, face.Seconds(wait))
		}
		return err.Error()
	case share.Paused:
		return t.options.Reason
	case share.Queued:
		return "waits until fewer others fetch"
	case share.Finding:
		return t.search.reason(t.book, 0, now)
	case share.Fetching:
		if o := t.opened(); o != nil && o.files.Arrived() {
			return "all of it is here and is being written to the disk"
		}
		l := t.live()
		if l == nil || l.down.Rate() > 0 {
			return ""
		}
		return t.search.reason(t.book, l.net.Figures().Peers, now)
	}
	return ""
}

// snapshot is t as others see it.
func (e *Engine) snapshot(t *transfer) share.Transfer {
	s := share.Transfer{
		ID:         t.id,
		Name:       t.name,
		State:      t.state(),
		Reason:     t.reason(e.now()),
		Total:      t.total,
		Size:       t.size,
		Files:      t.row.files,
		Hidden:     t.options.Hidden,
		LeftOut:    t.options.LeftOut,
		Downloaded: t.downloaded,
		Uploaded:   t.uploaded,
		Path:       t.shownPath(),
		Own:        t.own(),
		Added:      t.added,
		Completed:  t.completed,
		Looked:     t.looked,
		Limits:     t.options.Limits,
		Goal:       t.options.Goal,
	}
	if s.State == share.Stopped {
		s.Code = share.Disk.Code()
		if err := cmp.Or(t.failure, t.fault()); err != nil {
			s.Code = share.KindOf(err).Code()
		}
	}
	switch s.State {
	case share.Hashing, share.Checking:
		s.Bytes, s.Total = t.hashed.Load(), t.toHash.Load()
	default:
		s.Bytes = t.haveBytes()
	}
	if l := t.live(); l != nil {
		f := l.net.Figures()
		s.Peers, s.Seeds = f.Peers, f.Seeds
		s.Down, s.Up = l.down.Rate(), l.up.Rate()
		s.Downloaded += f.Down - l.counted.down
		s.Uploaded += f.Up - l.counted.up
	}
	if t.kind != kindUnhashed {
		s.Link = e.link(t)
	}
	return s
}

// haveBytes is how much of the selected files is durable.
func (t *transfer) haveBytes() int64 {
	o := t.opened()
	switch {
	case o != nil:
		return o.plan.durable()
	case t.done && t.options.Damage == "":
		return t.total
	}
	return t.options.Durable
}

func (t *transfer) shownPath() string {
	if t.own() {
		return t.path
	}
	if t.options.Root != "" {
		return filepath.Join(t.path, t.options.Root)
	}
	return t.path
}

// link is the magnet URI of t with the addresses of this node.
func (e *Engine) link(t *transfer) string {
	l := share.Link{ID: t.id, Name: t.name, Length: t.size, Peers: e.own.inLinks(e.now())}
	if l.Name == t.id.String() {
		l.Name = "" // it stands for a name that is not known
	}
	return l.String()
}

// shownName makes what a stranger calls something fit to be shown until the
// info dictionary, whose name is clean, is known.
func shownName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	for len(name) > metainfo.MaxName {
		r := []rune(name)
		name = string(r[:len(r)-1-len(r)/8])
	}
	return name
}

// changed tells subscribers that something about t is different: at once when
// its state is, else within a second.
func (e *Engine) changed(t *transfer) {
	t.stale = true
	e.awake[t] = struct{}{}
	if t.state() != t.shown.State && t.removing == nil {
		e.tell(t, share.EventChanged, "")
	}
}

// tell publishes an event about t with its snapshot.
func (e *Engine) tell(t *transfer, what share.EventType, message string) {
	e.publish(t, share.Event{Type: what, Message: message})
}

func (e *Engine) publish(t *transfer, ev share.Event) {
	s := e.snapshot(t)
	t.shown, t.stale = s, false
	if e.hub.watched() {
		ev.ID, ev.Transfer = t.id, &s
		e.hub.publish(e.now(), ev)
	}
}

// note adds a line to the transfer's log.
func (e *Engine) note(t *transfer, format string, args ...any) {
	e.log.Debug(fmt.Sprintf(format, args...), "id", t.id.Short())
	if e.hub.watched() {
		e.hub.publish(e.now(), share.Event{Type: share.EventNote, ID: t.id, Message: fmt.Sprintf(format, args...)})
	}
}

// save keeps t's row.
func (e *Engine) save(t *transfer) { e.state.put(t.row) }

// fold moves what the counters of the swarm hold into the row.
func (t *transfer) fold() {
	l := t.live()
	if l == nil {
		return
	}
	f := l.net.Figures()
	t.downloaded += f.Down - l.counted.down
	t.uploaded += f.Up - l.counted.up
	l.counted.down, l.counted.up = f.Down, f.Up
}
