package door

import (
	"cmp"
	"container/list"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// downloads finds out which files and archives were sent completely, be it by several
// requests. It forgets those that nobody continued for long.
type downloads struct {
	mu     sync.Mutex
	parts  map[download]*list.Element // of *progress
	recent list.List                  // the latest is last
}

// download is the content of one link.
type download struct {
	link string // ID
	what string // path below the link
}

type progress struct {
	of   download
	sent []span
}

// span is the bytes from begin up to end.
type span struct{ begin, end int64 }

const (
	maxDownloads = 10_000
	maxSpans     = 256
)

func newDownloads() *downloads { return &downloads{parts: map[download]*list.Element{}} }

// sent records that part of size bytes was sent. It reports whether that completed a
// download.
func (d *downloads) sent(of download, part span, size int64) bool {
	if part.begin == 0 && part.end == size {
		return true
	}
	if part.end <= part.begin {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.parts[of]
	if e == nil {
		if d.recent.Len() >= maxDownloads {
			d.forget(d.recent.Front())
		}
		e = d.recent.PushBack(&progress{of: of})
		d.parts[of] = e
	}
	d.recent.MoveToBack(e)
	p := e.Value.(*progress)
	p.sent = add(p.sent, part)
	if len(p.sent) == 1 && p.sent[0] == (span{0, size}) {
		d.forget(e)
		return true
	}
	return false
}

func (d *downloads) forget(e *list.Element) {
	delete(d.parts, e.Value.(*progress).of)
	d.recent.Remove(e)
}

// add adds a span to sorted ones that do not touch. If there are too many, it takes the
// smallest gap for sent: who leaves out a little everywhere is not to download for free.
func add(all []span, s span) []span {
	all = append(all, s)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.begin, b.begin) })
	out := all[:1]
	for _, s := range all[1:] {
		if last := &out[len(out)-1]; s.begin <= last.end {
			last.end = max(last.end, s.end)
		} else {
			out = append(out, s)
		}
	}
	if len(out) <= maxSpans {
		return out
	}
	least := 1
	for i := 2; i < len(out); i++ {
		if out[i].begin-out[i-1].end < out[least].begin-out[least-1].end {
			least = i
		}
	}
	out[least-1].end = out[least].end
	return slices.Delete(out, least, least+1)
}

// meter sees which part of a content an answer sends.
type meter struct {
	http.ResponseWriter
	begin int64
	n     int64
	sends bool      // the status is of content
	sent  func(int) // is told of content
}

func (m *meter) WriteHeader(status int) {
	switch status {
	case http.StatusOK:
		m.sends = true
	case http.StatusPartialContent:
		_, err := fmt.Sscanf(m.Header().Get("Content-Range"), "bytes %d-", &m.begin)
		m.sends = err == nil
	}
	m.ResponseWriter.WriteHeader(status)
	if m.sends {
		// The first byte may have to wait for a checksum.
		_ = http.NewResponseController(m.ResponseWriter).Flush()
	}
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.ResponseWriter.Write(b)
	m.n += int64(n)
	if m.sends {
		m.sent(n)
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }
