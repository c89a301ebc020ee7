package engine

import (
	"errors"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// level says how much of a transfer is open.
type level int

const (
	atRest level = iota
	opened       // its storage is open
	live         // it has a swarm
)

// phase is what there is only while a transfer is awake: openedPhase or livePhase; nil at
// rest.
type phase interface{ level() level }

// openedPhase is a transfer whose storage is open.
type openedPhase struct {
	files  *storage.Transfer
	layers *metainfo.Layers // of content that has a v2 ID; else nil
	plan   *plan
	fault  error       // of files
	names  sourceNames // of the files for web seeds; nil until somebody asks
	fresh  bool        // the last of layers has come, and is not in the .torrent file yet

	unknown   bool      // some pieces have to be hashed before anything is known of them
	doubt     bool      // some pieces are hashed again before they are served
	nextCheck time.Time // such pieces are hashed then, and not before
	rehashing int       // runs of rehash
	proving   bool      // see proveAll
}

// blind tells whether pieces cannot be checked before peers have sent their hashes:
// there is no v1 hash, and a piece layer is missing.
func (o *openedPhase) blind() bool { return !o.plan.info.HasV1() && !o.layers.Complete() }

// livePhase is a transfer that has a swarm. Its storage stays open.
type livePhase struct {
	*openedPhase
	net      face.Swarm
	down, up flow.Meter
	counted  struct{ down, up int64 } // of net, already in the row
}

// sample measures the rates; to be called each second.
func (l *livePhase) sample(elapsed time.Duration) {
	f := l.net.Figures()
	l.down.Sample(f.Down, elapsed)
	l.up.Sample(f.Up, elapsed)
	l.net.Sample(elapsed)
}

func (*openedPhase) level() level { return opened }
func (*livePhase) level() level   { return live }

func (t *transfer) level() level {
	if t.phase == nil {
		return atRest
	}
	return t.phase.level()
}

// opened is nil for a transfer at rest.
func (t *transfer) opened() *openedPhase {
	switch p := t.phase.(type) {
	case *openedPhase:
		return p
	case *livePhase:
		return p.openedPhase
	}
	return nil
}

// live is nil for a transfer without a swarm.
func (t *transfer) live() *livePhase {
	p, _ := t.phase.(*livePhase)
	return p
}

// fault is the fault of the storage, nil while that is closed.
func (t *transfer) fault() error {
	if o := t.opened(); o != nil {
		return o.fault
	}
	return nil
}

// facts are all that decides at which level a transfer should be, and what has to be done
// for it next.
type facts struct {
	is       level
	halted   bool // it has failed
	unhashed bool // a share that was never read
	made     bool // it was read just now; its storage does not know of it
	strange  bool // its info dictionary is not known
	restart  bool // what is known of its files has to be dropped
	removing bool
	erasing  bool // with its data
	glancing bool // it is opened for a look at its files
	faulty   bool // its storage has a fault
	changed  bool // which is that files were changed
	verify   bool // everything has to be hashed
	unknown  bool // something has to be hashed
	doubt    bool // something has to be hashed before it is served
	mayCheck bool // hashing would be of use
	copying  bool // content has to be copied from another folder
	paused   bool
	done     bool
	slot     bool // it may fetch
	layered  bool // its piece layers came, and have to be kept
	waited   bool // a peer waits for it
	streamed bool // a stream reads it
	warm     bool // a seed in use
}

// facts are those of t now. A seed without a connection is in use for as long as cool.
func (t *transfer) facts(now time.Time, cool time.Duration) facts {
	f := facts{
		is:       t.level(),
		halted:   t.failure != nil,
		unhashed: t.kind == kindUnhashed, made: t.making.made != nil, strange: !t.known(), restart: t.options.Restart,
		removing: t.removing != nil, erasing: t.removing != nil && t.removing.data,
		glancing: t.look.glancing,
		verify:   t.options.Verify, copying: t.options.From != "" || t.options.Unseal,
		paused: t.options.Paused, done: t.done, slot: t.slot,
		waited: len(t.waiters) > 0, streamed: len(t.streams) > 0,
	}
	if o := t.opened(); o != nil {
		f.faulty, f.changed = o.fault != nil, errors.Is(o.fault, storage.ErrChanged)
		f.unknown, f.doubt, f.mayCheck = o.unknown, o.doubt, o.mayCheck(t.options.Verify, now)
		f.layered = o.fresh
	}
	if l := t.live(); l != nil && t.done {
		n := l.net.Figures()
		f.warm = n.Peers > 0 || now.Sub(n.LastPeer) < cool
	}
	return f
}

// mayCheck tells whether hashing what is on disk is of use now: nothing can be learned
// of a disk that does not work.
func (o *openedPhase) mayCheck(verify bool, now time.Time) bool {
	if now.Before(o.nextCheck) && !verify { // which may be asked for during a check
		return false
	}
	return o.fault == nil || verify && (errors.Is(o.fault, storage.ErrChanged) || errors.Is(o.fault, storage.ErrMissing))
}

// wants is the level at which the transfer should be.
func (f facts) wants() level {
	want := f.inUse()
	if f.layered && want == atRest && f.is > atRest && !f.halted && !f.removing {
		return opened // until they are kept
	}
	return want
}

// inUse is the level that the use of the transfer asks for.
func (f facts) inUse() level {
	switch {
	case f.halted:
		return atRest
	case f.made && !f.removing:
		return opened
	case f.unhashed || f.strange || f.restart:
		return atRest
	case f.removing:
		if f.erasing && f.is > atRest {
			return opened
		}
		return atRest
	case f.glancing:
		return max(opened, f.is)
	case f.faulty && !f.changed && f.is < live:
		// Nothing may be trusted or written before the storage says that it works again,
		// and it says so only while it is open.
		return opened
	case f.verify || f.unknown && f.is < live || f.copying && !f.paused:
		return opened // and checked there
	case f.doubt && f.is < live && !f.faulty && !f.waited && !f.streamed && (f.done || f.paused):
		return opened // and checked there, unless it is wanted meanwhile
	case f.paused:
		if f.streamed {
			return opened
		}
		return atRest
	case !f.done:
		if f.slot || f.streamed {
			return live
		}
		return atRest
	case f.waited || f.streamed || f.warm:
		return live
	case f.faulty:
		return opened // to learn when the fault is over
	}
	return atRest
}

// event is why something has to be done for a transfer.
type event int

const (
	nothing event = iota
	more          // it should be at a higher level
	less          // it should be at a lower level
	checks        // it has to be hashed where it is
	leaves        // it is being removed
	forgets       // what is known of its files has to be dropped
	copies        // content has to be copied
	keeps         // its .torrent file has to be written again
	reads         // a share has to be hashed
	asks          // peers have to be asked for its info dictionary
)

// event is the next thing that has to be done, given the level at which the transfer should
// be.
func (f facts) event(want level) event {
	switch {
	case want > f.is:
		return more
	case want < f.is && f.is == live:
		return less
	case !f.removing && f.is == opened && want == opened && (f.verify || f.unknown || f.doubt) && f.mayCheck:
		return checks
	case f.removing:
		return leaves
	case f.is == atRest && f.restart:
		return forgets
	case f.is == opened && want == opened && f.copying && !f.faulty && !f.paused:
		return copies
	case f.layered && f.is > atRest && want == f.is:
		return keeps
	case want < f.is:
		return less
	case f.unhashed:
		return reads
	case f.strange:
		return asks
	}
	return nothing
}

// step is a job that is begun, and the level of the transfer when that has worked.
type step struct {
	do jobKind
	to level
}

// steps are all that reconcile ever begins. For any other combination it begins nothing.
var steps = map[level]map[event]step{
	atRest: {
		more:    {jobOpen, opened},
		leaves:  {jobRemove, atRest},
		forgets: {jobRestart, atRest},
		reads:   {jobHash, atRest},
		asks:    {jobAsk, atRest},
	},
	opened: {
		more:   {jobAttach, live},
		less:   {jobClose, atRest},
		checks: {jobCheck, opened},
		leaves: {jobRemove, atRest},
		copies: {jobCopy, opened},
		keeps:  {jobKeep, opened},
	},
	live: {
		less:  {jobDetach, opened},
		keeps: {jobKeep, live},
	},
}

// begin starts the job of a step.
func (lp *loop) begin(t *transfer, s step) {
	switch s.do {
	case jobOpen:
		lp.startOpen(t)
	case jobAttach:
		lp.startAttach(t)
	case jobDetach:
		lp.startDetach(t)
	case jobClose:
		lp.startClose(t)
	case jobCheck:
		lp.startCheck(t)
	case jobRemove:
		lp.startRemove(t)
	case jobRestart:
		lp.startRestart(t)
	case jobCopy:
		lp.startCopy(t)
	case jobKeep:
		lp.startKeep(t)
	case jobHash:
		lp.startHash(t)
	case jobAsk:
		lp.startAsk(t)
	}
}

// calledOff tells whether a job is cancelled because it can take long and is no longer
// wanted.
func (f facts) calledOff(what jobKind, want level) bool {
	switch what {
	case jobHash, jobAsk:
		return f.removing || f.paused || f.halted
	case jobOpen:
		return want == atRest
	case jobCopy:
		return want == atRest || f.removing
	case jobCheck:
		return want == atRest || f.removing || want == live && !f.verify && !f.unknown
	}
	return false
}
