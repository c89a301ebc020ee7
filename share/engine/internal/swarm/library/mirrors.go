package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// mirrors are the web seeds (BEP 19) of one transfer. A request to one of them
// that does not get on is made to another; a connection that is cut goes on
// where it was; who asks to wait (503, 429) is left alone for as long as he says.
type mirrors struct {
	next http.RoundTripper // guarded: it decides what may be dialled

	mu  sync.Mutex
	all []*mirror
}

// mirror is one web seed. It is the transport of the library's client for it.
type mirror struct {
	url string
	of  *mirrors

	// guarded by mirrors.mu
	err   error // what came of it last
	last  time.Time
	until time.Time // it is not asked before
	asked bool      // it was it that asked to be left alone
}

const (
	maxHops     = 5
	defaultWait = 5 * time.Second // of a 503 that does not say how long
	longestWait = time.Hour
	failedWait  = 10 * time.Second // after an error
	// A request of the library's waits this long for its turn at most; then the
	// library asks for something else.
	longestTurn = 2 * time.Minute
	maxCuts     = 5 // one after the other, without a byte in between
	// What the library takes of an answer that begins with the file.
	mostDiscarded = 48 << 10
)

// add makes mirrors of urls and returns those that are new.
func (g *mirrors) add(urls []string) (fresh []*mirror) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range urls {
		if len(g.all) >= face.MaxWebSeeds || slices.ContainsFunc(g.all, func(m *mirror) bool { return m.url == u }) {
			continue
		}
		m := &mirror{url: u, of: g}
		g.all = append(g.all, m)
		fresh = append(fresh, m)
	}
	return fresh
}

// state tells how each web seed does.
func (g *mirrors) state() []face.WebSeed {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]face.WebSeed, len(g.all))
	for i, m := range g.all {
		out[i] = face.WebSeed{URL: m.url, Last: m.last, Next: m.until, Err: m.err}
	}
	return out
}

// RoundTrip implements http.RoundTripper. Redirects are followed here.
func (m *mirror) RoundTrip(req *http.Request) (*http.Response, error) {
	if isPad(req.URL.Path) {
		return padding(req), nil
	}
	w := wanted{req: req, to: -1}
	if n, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &w.at, &w.to); n == 2 {
		w.ranged = true
	}
	w.rest, w.movable = strings.CutPrefix(req.URL.String(), m.url)
	if !w.movable {
		w.rest = ""
	}
	resp, from, err := m.of.open(m, w, true)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusPartialContent:
	case resp.StatusCode == http.StatusOK && !w.ranged && resp.ContentLength >= 0:
		w.to = resp.ContentLength - 1
	default: // an error, or what cannot be gone on with
		return resp, nil
	}
	resp.ContentLength = w.to - w.at + 1
	resp.Request = req
	resp.Body = &goingOn{first: m, from: from, w: w, body: resp.Body}
	return resp, nil
}

// wanted is a part of a file that is asked for.
type wanted struct {
	req     *http.Request // the library's
	rest    string        // of the URL, behind the mirror's own
	movable bool          // rest is known: other mirrors have it, too
	ranged  bool
	at, to  int64 // to is -1 when all is wanted and the size is not known
}

// open asks first for what is wanted, then the others, and waits for those that
// asked for it. fresh tells that nothing of it has arrived: then the library may
// have what first answers as it is.
func (g *mirrors) open(first *mirror, w wanted, fresh bool) (*http.Response, *mirror, error) {
	ctx := w.req.Context()
	begun := time.Now()
	for {
		var failed error
		for _, m := range g.order(first, w.movable) {
			if g.resting(m) {
				continue
			}
			resp, err := m.ask(ctx, w, fresh && m == first)
			if err == nil {
				return resp, m, nil
			}
			if ctx.Err() != nil {
				return nil, nil, context.Cause(ctx)
			}
			failed = err
		}
		at, why := g.turn(first, w.movable)
		if failed == nil {
			failed = why
		}
		if at.IsZero() || at.Sub(begun) > longestTurn {
			return nil, nil, failed
		}
		timer := time.NewTimer(time.Until(at))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, context.Cause(ctx)
		}
	}
}

// order is whom to ask: first, then the others of its kind.
func (g *mirrors) order(first *mirror, movable bool) []*mirror {
	out := []*mirror{first}
	if !movable {
		return out
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.all {
		// One that names a folder and one that names the file differ in what follows.
		if m != first && strings.HasSuffix(m.url, "/") == strings.HasSuffix(first.url, "/") {
			out = append(out, m)
		}
	}
	return out
}

func (g *mirrors) resting(m *mirror) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(m.until)
}

// turn is when the first of those who asked to be left alone may be asked again;
// zero where nobody did. why is what the first mirror said.
func (g *mirrors) turn(first *mirror, movable bool) (at time.Time, why error) {
	all := g.order(first, movable)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range all {
		if m.asked && (at.IsZero() || m.until.Before(at)) {
			at = m.until
		}
	}
	if why = first.err; why == nil {
		why = errors.New("no web seed can be asked now")
	}
	return at, why
}

// said notes what came of asking m; until is when it may be asked again.
func (m *mirror) said(err error, until time.Time, asked bool) {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	m.err, m.until, m.asked = err, until, asked
	if err == nil {
		m.last = time.Now()
	}
}

func (m *mirror) failed(err error) error {
	m.said(err, time.Now().Add(failedWait), false)
	return err
}

// ask makes one request. An answer is returned where it is what was wanted or,
// where asIs, where the library knows what to make of it.
func (m *mirror) ask(ctx context.Context, w wanted, asIs bool) (*http.Response, error) {
	url := w.req.URL.String()
	if w.movable {
		url = m.url + w.rest
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, m.failed(err)
	}
	req.Header = w.req.Header.Clone()
	req.Header.Set("Accept-Encoding", "identity") // parts of what is packed are of no use
	switch {
	case w.to >= 0 && (w.ranged || w.at > 0):
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", w.at, w.to))
	}
	client := http.Client{Transport: m.of.next, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxHops {
			return fmt.Errorf("more than %d redirects", maxHops)
		}
		if via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https" {
			return fmt.Errorf("a redirect from https to %s", r.URL.Scheme)
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			m.failed(err)
		}
		return nil, err
	}
	partial := req.Header.Get("Range") != ""
	packed := resp.Header.Get("Content-Encoding")
	switch code := resp.StatusCode; {
	case packed != "" && packed != "identity" && code < 300:
		err = fmt.Errorf("it sends what it has packed (%.20q)", packed)
	case code == http.StatusPartialContent && partial:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", w.at)) {
			err = errors.New("it sends another part than was asked for")
		}
	case code == http.StatusOK && !partial:
	case code == http.StatusOK:
		if !asIs || w.at > mostDiscarded {
			err = errors.New("it does not send parts of files")
		}
	case code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests:
		resp.Body.Close()
		wait := retryAfter(resp.Header.Get("Retry-After"), time.Now())
		err = fmt.Errorf("it answers %s and is asked again in %s", resp.Status, face.Seconds(wait))
		m.said(err, time.Now().Add(wait), true)
		return nil, err
	case asIs && (code == http.StatusForbidden || code == http.StatusNotFound || code == http.StatusGone || code == http.StatusUnavailableForLegalReasons):
		// The library asks others for this file from now on.
		m.said(fmt.Errorf("it answers %s", resp.Status), time.Time{}, false)
		return resp, nil
	default:
		err = fmt.Errorf("it answers %s", resp.Status)
	}
	if err != nil {
		resp.Body.Close()
		return nil, m.failed(err)
	}
	m.said(nil, time.Time{}, false)
	return resp, nil
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	wait := defaultWait
	if n, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		wait = time.Duration(min(max(n, 0), int(longestWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, time.Second), longestWait)
}

// goingOn is the body of an answer. Where it breaks off it goes on from there:
// from the same mirror, or else from another.
type goingOn struct {
	first *mirror
	from  *mirror
	w     wanted
	cuts  int // since the last byte

	mu     sync.Mutex
	body   io.ReadCloser
	closed bool
}

func (b *goingOn) Read(p []byte) (int, error) {
	for {
		left := b.w.to - b.w.at + 1
		if left <= 0 {
			return 0, io.EOF
		}
		b.mu.Lock()
		body := b.body
		b.mu.Unlock()
		n, err := body.Read(p[:min(int64(len(p)), left)])
		if b.w.at += int64(n); n > 0 {
			b.cuts = 0
			return n, nil // what ended it shows at the next read
		}
		if err == nil {
			return 0, nil
		}
		if err := b.again(err); err != nil {
			return 0, err
		}
	}
}

// again opens the rest of what is wanted after err.
func (b *goingOn) again(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if ctx := b.w.req.Context(); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.cuts++; b.cuts > 1 {
		b.from.failed(fmt.Errorf("it breaks off: %w", err))
	}
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed || b.cuts > maxCuts {
		return err
	}
	resp, from, err := b.first.of.open(b.from, b.w, false)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.body.Close()
	b.body, b.from = resp.Body, from
	if b.closed {
		b.body.Close()
		return io.ErrClosedPipe
	}
	return nil
}

// Close implements io.Closer. It has nothing to complain about: the library ends
// the process when closing an answer fails.
func (b *goingOn) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	_ = b.body.Close()
	return nil
}
