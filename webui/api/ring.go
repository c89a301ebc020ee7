package api

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// What a ring keeps for readers that reconnect, or are behind.
const (
	ringFrames = 1024
	ringBytes  = 4 << 20
)

// ring keeps the latest frames of the event stream and knows their ids. It has no lock:
// hub.mu guards it.
type ring struct {
	boot   string   // the part of ids that changes with each start
	seq    uint64   // of the latest frame; 0 before the first
	frames []*frame // oldest first, without gaps
	bytes  int      // of frames
}

// frame is one step of the stream.
type frame struct {
	seq  uint64
	data []byte // for readers that read everything

	// of a patch
	parts []part
	stats []byte
	sides sides
	// of a notice
	notice  bool
	id, was share.ID
}

// part is the patch of one transfer; nil means that it was removed.
type part struct {
	id    share.ID
	patch []byte
}

func newRing() ring {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return ring{boot: hex.EncodeToString(b[:])}
}

// id is the event id of a frame.
func (r *ring) id(seq uint64) string { return r.boot + "-" + strconv.FormatUint(seq, 10) }

// add appends the frame of number seq+1, and drops the oldest ones that are too many.
func (r *ring) add(f *frame) {
	r.seq = f.seq
	r.frames = append(r.frames, f)
	r.bytes += f.size()
	drop := 0
	for len(r.frames)-drop > ringFrames || r.bytes > ringBytes && drop < len(r.frames) {
		r.bytes -= r.frames[drop].size()
		drop++
	}
	if drop > 0 {
		clear(r.frames[:drop])
		r.frames = r.frames[drop:]
	}
}

// has reports whether a reader that needs frame seq next misses nothing.
func (r *ring) has(seq uint64) bool {
	return seq == r.seq+1 || len(r.frames) > 0 && seq >= r.frames[0].seq && seq <= r.seq
}

// from returns the frames from seq on, which the ring must have.
func (r *ring) from(seq uint64) []*frame {
	if seq > r.seq {
		return nil
	}
	return r.frames[seq-r.frames[0].seq:]
}

// after returns the number of the frame that follows the event of an id, or 0 if the
// ring does not know the id or lacks the frame.
func (r *ring) after(id string) uint64 {
	boot, number, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(number, 10, 64)
	if boot != r.boot || err != nil || seq > r.seq || !r.has(seq+1) {
		return 0
	}
	return seq + 1
}

func (f *frame) size() int {
	n := len(f.data) + len(f.stats)
	for _, s := range f.sides {
		n += len(s)
	}
	for _, p := range f.parts {
		n += len(p.patch) + len(p.id)
	}
	return n
}
