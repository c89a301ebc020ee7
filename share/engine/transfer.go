package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// transfer is one content on this node, from the request until it is removed. It is
// owned by the loop. What there is only while it is awake is in its phase.
type transfer struct {
	row

	// done tells that every selected file is complete, as of the last look: files
	// that change while the transfer is at rest are noticed when it is opened.
	done     bool
	failure  error     // why it is stopped, unless its storage has a fault
	retry    time.Time // when it is tried again; zero is never
	slot     bool      // it may fetch, see slots
	wished   bool      // it wanted to, when slots was last told
	wipe     bool      // what was begun in the folder it was in is deleted, see moveTo
	removing *removal  // nil unless it is being removed

	phase phase          // nil at rest
	info  *metainfo.Info // mostly nil at rest
	job   *job           // nil when none is under way
	count count          // of the job that hashes or copies

	making  making
	look    look
	peers   peers
	limits  limits
	given   given
	streams streams
	played  atomic.Bool     // somebody plays it: it yields to no other
	yields  string          // the name of what it yields to
	waiters []chan struct{} // closed when it is live, or will not be

	was   share.ID       // provisional, until EventShared tells the real one
	shown share.Transfer // as in the last event
	stale bool           // something may be different since
}

// making is what there is of a share only until its link is known.
type making struct {
	made   *metainfo.Made // just hashed; the storage does not know it yet
	secret share.Secret   // of a sealed share
	reused bool           // made is of an ended share
	afresh bool           // no ended share serves: the files have changed
	parked bool           // a request has claimed the ID
}

// limits caps the rates of one transfer. There are buckets once it was live.
type limits struct{ down, up *flow.Bucket }

// buckets makes them where there are none.
func (l *limits) buckets(is share.Limits) (down, up *flow.Bucket) {
	if l.down == nil {
		l.down, l.up = flow.NewBucket(is.Down), flow.NewBucket(is.Up)
	}
	return l.down, l.up
}

func (l *limits) set(to share.Limits) {
	if l.down != nil {
		l.down.Set(to.Down)
		l.up.Set(to.Up)
	}
}

// job is what is being done for a transfer outside the loop; there is one at a time.
type job struct {
	what   jobKind
	cancel context.CancelFunc
}

type jobKind int

const (
	jobHash    jobKind = iota // reading a share for the first time
	jobAsk                    // getting the info dictionary from peers
	jobOpen                   // opening its storage
	jobAttach                 // making it available to peers
	jobCheck                  // hashing what is on disk
	jobCopy                   // copying from another folder
	jobRestart                // dropping what is known of files in another folder
	jobFinish                 // making empty files, links and folders
	jobKeep                   // writing its .torrent file again, with the piece layers
	jobDetach
	jobClose
	jobRemove
)

// known tells whether there is a .torrent file of t in Config.Dir.
func (t *transfer) known() bool { return t.kind != kindUnhashed && t.row.files > 0 }

func (t *transfer) own() bool { return t.kind != kindFetch }

// checking tells whether data on disk is being hashed, or has to be, before it is trusted.
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
	case t.kind == kindUnhashed: // also when it is hashed but the storage is not open yet
		return share.Hashing
	case t.look.silent:
		return share.Stopped
	case t.level() == atRest && t.options.Damage != "" && !t.options.Paused && !t.options.Verify:
		return share.Stopped // as of the last look
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

// reason says why t makes no progress; empty if it does.
func (t *transfer) reason(now time.Time) share.Text {
	switch t.state() {
	case share.Stopped:
		err := cmp.Or(t.failure, t.fault())
		switch {
		case t.failure == nil && t.look.silent:
			return share.Say("the disk or network share of %s does not answer", t.shownPath())
		case err == nil:
			return kept(t.options.Damage, t.options.DamageText)
		}
		if wait := t.retry.Sub(now); t.failure != nil && wait > 0 {
			return share.Say("%v; next try in %s", err, face.Seconds(wait))
		}
		return share.TextOf(err)
	case share.Paused:
		return kept(t.options.Reason, t.options.ReasonText)
	case share.Queued:
		return share.Say("queued until another transfer is complete")
	case share.Finding:
		return t.peers.search.reason(t.peers.book, 0, now)
	case share.Fetching:
		if o := t.opened(); o != nil && o.files.Arrived() {
			return share.Say("all data has arrived and is being written to the disk")
		}
		l := t.live()
		switch {
		case l != nil && t.yields != "":
			return share.Say("slowed down while “%s” plays", t.yields)
		case l == nil || l.down.Rate() > 0:
			return share.Text{}
		}
		if n := len(l.layers.Missing()); l.blind() && l.net.Figures().Peers > 0 {
			return share.Say("waiting for peers to send the hashes of the pieces of %s", share.Count(n, "file", "files"))
		}
		return t.peers.search.reason(t.peers.book, l.net.Figures().Peers, now)
	}
	return share.Text{}
}

// kept is a text that was kept with a row; an earlier version kept only the sentence.
func kept(sentence string, t share.Text) share.Text {
	if t.String() != sentence {
		return share.Text{Pattern: sentence}
	}
	return t
}

// snapshot is t as callers see it, with a link that has these addresses.
func (t *transfer) snapshot(now time.Time, at where) share.Transfer {
	s := share.Transfer{
		ID:        t.id,
		Name:      t.name,
		State:     t.state(),
		Total:     t.total,
		Size:      t.size,
		Files:     t.row.files,
		Seal:      t.seal(),
		Hidden:    t.options.Hidden,
		LeftOut:   t.options.LeftOut,
		Path:      t.shownPath(),
		Own:       t.own(),
		Added:     t.added,
		Completed: t.completed,
		Looked:    t.look.at,
		Limits:    t.options.Limits,
		Priority:  t.options.Turn,
		Goal:      t.options.Goal,
		IPv4Only:  t.peers.book.leftOut(),
	}
	why := t.reason(now)
	s.Reason, s.ReasonText = why.String(), why.Of()
	if n := t.names(); !n.V2.IsZero() {
		s.V1, s.V2 = n.V1, n.V2
	}
	s.Downloaded, s.Uploaded = t.traffic()
	if s.State == share.Stopped {
		s.Code = share.Disk.Code()
		if err := cmp.Or(t.failure, t.fault()); err != nil {
			s.Code = share.KindOf(err).Code()
		}
	}
	switch s.State {
	case share.Hashing, share.Checking:
		s.Bytes, s.Total = t.count.done.Load(), t.count.all.Load()
	default:
		s.Bytes = t.haveBytes()
	}
	if l := t.live(); l != nil {
		f := l.net.Figures()
		s.Peers, s.Seeds = f.Peers, f.Seeds
		s.Availability = math.Floor(f.Availability*100) / 100
		s.Up = l.up.Rate()
		if !t.done { // it ends with the download
			s.Down = l.down.Rate()
		}
	}
	s.Up += t.given.rate.Rate()
	if t.kind != kindUnhashed {
		s.Link = t.link(at)
	}
	return s
}

// haveBytes is how many bytes of the selected files are durable.
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

// where is what a link says of where this node has its content.
type where struct{ peers, webSeeds []string }

// link is the magnet URI of t.
func (t *transfer) link(at where) string {
	l := t.names().link()
	if !t.secret.IsZero() {
		l.Secret, l.Peers, l.WebSeeds = t.secret, at.peers, at.webSeeds
		return l.Reveal()
	}
	l.Name, l.Length, l.Peers, l.WebSeeds = t.name, t.size, at.peers, at.webSeeds
	if l.Name == t.id.String() {
		l.Name = "" // the ID stands for a name that is not known
	}
	return l.String()
}

// shownName makes a name from a stranger's link safe to show. It serves until the info
// dictionary, whose name is safe, is known.
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

// changed is called when something about t may be different for callers.
func (lp *loop) changed(t *transfer) {
	lp.awake[t] = struct{}{}
	lp.events.changed(t)
}

// save keeps t's row.
func (lp *loop) save(t *transfer) { lp.state.put(t.row) }

// release lets those go on who wait until t is live.
func (t *transfer) release() {
	for _, w := range t.waiters {
		close(w)
	}
	t.waiters = nil
}

// wait returns what release closes.
func (t *transfer) wait() chan struct{} {
	w := make(chan struct{})
	t.waiters = append(t.waiters, w)
	return w
}

// traffic is what t has downloaded and uploaded in its life.
func (t *transfer) traffic() (down, up int64) {
	down, up = t.downloaded, t.uploaded+t.given.bytes.Load()-t.given.counted
	if l := t.live(); l != nil {
		f := l.net.Figures()
		down += f.Down - l.counted.down
		up += f.Up - l.counted.up
	}
	return down, up
}

// fold moves what the counters hold into the row.
func (t *transfer) fold() {
	given := t.given.bytes.Load()
	t.uploaded += given - t.given.counted
	t.given.counted = given
	if l := t.live(); l != nil {
		f := l.net.Figures()
		t.downloaded += f.Down - l.counted.down
		t.uploaded += f.Up - l.counted.up
		l.counted.down, l.counted.up = f.Down, f.Up
	}
}
