package door

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// turns sees that of a link for a few downloads no more are under way than it has left: each
// is counted only when it is complete, and all of them could be.
type turns struct {
	mu    sync.Mutex
	under map[string]map[*turn]struct{} // by the ID of the link
}

// turn is a part of a content on its way. Parts that do not overlap are one download, as of
// a program with several connections.
type turn struct {
	what    string // path below the link
	part    span
	network netip.Prefix
	end     func() // ends the answer
}

func newTurns() *turns { return &turns{under: map[string]map[*turn]struct{}{}} }

// take begins a turn, if left tells that there are enough downloads left for it and those
// under way. Who asks again for what is on its way to the same network lost that connection:
// it ends.
func (t *turns) take(link string, me *turn, left func() int) (leave func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.under[link]
	for o := range all {
		if o.what == me.what && o.network == me.network && o.part.overlaps(me.part) {
			t.leave(link, o)
			o.end()
		}
	}
	if all = t.under[link]; all == nil {
		all = map[*turn]struct{}{}
		t.under[link] = all
	}
	all[me] = struct{}{}
	if copies(all) > left() {
		t.leave(link, me)
		return nil, false
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.leave(link, me)
	}, true
}

// leave ends a turn; mu is held.
func (t *turns) leave(link string, me *turn) {
	delete(t.under[link], me)
	if len(t.under[link]) == 0 {
		delete(t.under, link)
	}
}

// copies is how many downloads the turns are at least: of each content as many as are on
// their way with the same byte.
func copies(all map[*turn]struct{}) (n int) {
	most := map[string]int{}
	for a := range all {
		same := 0
		for b := range all {
			if a.what == b.what && b.part.begin <= a.part.begin && a.part.begin < b.part.end {
				same++
			}
		}
		most[a.what] = max(most[a.what], same)
	}
	for _, m := range most {
		n += m
	}
	return n
}

func (s span) overlaps(o span) bool { return s.begin < o.end && o.begin < s.end }

// asked is the part of a content that an answer to r may send.
func asked(r *http.Request, etag string, size int64) span {
	all := span{0, size}
	text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if cond := r.Header.Get("If-Range"); !ok || cond != "" && cond != etag {
		return all
	}
	from, to, ok := strings.Cut(text, "-")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	last, err := strconv.ParseInt(to, 10, 64)
	switch {
	case !ok || to != "" && err != nil || last < 0:
		return all
	case from == "" && to != "":
		return span{max(0, size-last), size}
	case to == "" || last >= size:
		last = size - 1
	}
	first, err := strconv.ParseInt(from, 10, 64)
	if err != nil || first < 0 || first > last {
		return all // or an error, which sends nothing
	}
	return span{first, last + 1}
}
