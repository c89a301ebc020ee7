package webseed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const (
	maxHops     = 5
	defaultWait = 5 * time.Second // of a 503 that does not say how long
	longestWait = time.Hour
	failedWait  = 10 * time.Second // after an error
	maxCuts     = 2                // one after the other, without a byte in between
	// What is read and thrown away of an answer that begins with the file.
	mostDiscarded = 48 << 10
	bufferSize    = 64 << 10
)

// Seed is one web server that has some content.
type Seed struct {
	url    string
	files  *Files
	client http.Client

	mu      sync.Mutex
	err     error // what came of it last
	last    time.Time
	until   time.Time // it is not asked before
	lacking map[int]bool
	over    bool // it is never asked again
}

// New makes a Seed that is asked through a transport.
func New(url string, files *Files, transport http.RoundTripper) *Seed {
	s := &Seed{url: url, files: files, lacking: make(map[int]bool)}
	s.client = http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxHops {
			return fmt.Errorf("more than %d redirects", maxHops)
		}
		if via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https" {
			return fmt.Errorf("a redirect from https to %s", r.URL.Scheme)
		}
		return nil
	}}
	return s
}

// URL is where the server is.
func (s *Seed) URL() string { return s.url }

// State tells how the server does.
func (s *Seed) State() face.WebSeed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return face.WebSeed{URL: s.url, Last: s.last, Next: s.until, Err: s.err}
}

// Condemn has the server never asked again, for a reason.
func (s *Seed) Condemn(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over, s.err = true, why
}

// Rest has the server left alone for a while, for a reason.
func (s *Seed) Rest(why error) { _ = s.failed(why) }

// Wait returns when the server may be asked. It reports false when it never may
// be, or ctx ended first.
func (s *Seed) Wait(ctx context.Context) bool {
	s.mu.Lock()
	over, until := s.over || len(s.lacking) == len(s.files.all), s.until
	s.mu.Unlock()
	if over {
		return false
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Have are the pieces that the server may have, as in a bitfield message: all but
// those of files that it said it lacks.
func (s *Seed) Have(pieces int, pieceLength int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := make([]byte, (pieces+7)/8)
	for i := range pieces {
		have[i/8] |= 0x80 >> (i % 8)
	}
	for n := range s.lacking {
		f := s.files.all[n]
		if f.length == 0 {
			continue
		}
		for i := f.from / pieceLength; i <= (f.from+f.length-1)/pieceLength; i++ {
			have[i/8] &^= 0x80 >> (i % 8)
		}
	}
	return have
}

// said notes what came of asking; until is when the server may be asked again.
func (s *Seed) said(err error, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.until = err, until
	if err == nil {
		s.last = time.Now()
	}
	return err
}

func (s *Seed) failed(err error) error { return s.said(err, time.Now().Add(failedWait)) }

// Fetch implements swarm.Source. A connection that is cut goes on where it was.
func (s *Seed) Fetch(ctx context.Context, from, to int64, take func([]byte) error) error {
	for _, x := range s.files.cut(from, to) {
		var err error
		if s.files.all[x.file].pad {
			err = zeros(x.to-x.from, take)
		} else {
			err = s.stretch(ctx, x, take)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// zeros is what pad files consist of, which are on no server (BEP 47).
func zeros(n int64, take func([]byte) error) error {
	b := make([]byte, min(n, bufferSize))
	for ; n > 0; n -= int64(len(b)) {
		b = b[:min(n, int64(len(b)))]
		if err := take(b); err != nil {
			return err
		}
	}
	return nil
}

// stretch fetches a part of a file.
func (s *Seed) stretch(ctx context.Context, x stretch, take func([]byte) error) error {
	buf := make([]byte, bufferSize)
	for cuts := 0; ; {
		body, err := s.ask(ctx, x)
		if err != nil {
			return err
		}
		got, err := pump(io.LimitReader(body, x.to-x.from), buf, take)
		body.Close()
		x.from += got
		var own refusal
		switch {
		case errors.As(err, &own):
			return own.error
		case x.from == x.to:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			err = io.ErrUnexpectedEOF
		}
		if got > 0 {
			cuts = 0
		}
		if cuts++; cuts >= maxCuts {
			return s.failed(fmt.Errorf("it breaks off: %w", err))
		}
	}
}

// refusal is an error of the one who takes the bytes.
type refusal struct{ error }

// pump hands on what r has, and returns how many bytes that was. The error is nil
// at the end.
func pump(r io.Reader, buf []byte, take func([]byte) error) (got int64, err error) {
	for {
		n, err := r.Read(buf)
		if n > 0 {
			got += int64(n)
			if err := take(buf[:n]); err != nil {
				return got, refusal{err}
			}
		}
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

// ask makes one request, and returns an answer that begins where it should.
func (s *Seed) ask(ctx context.Context, x stretch) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.files.url(s.url, x.file), nil)
	if err != nil {
		return nil, s.failed(err)
	}
	req.Header.Set("Accept-Encoding", "identity") // parts of what is packed are of no use
	partial := x.from > 0 || x.to < s.files.all[x.file].length
	if partial {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", x.from, x.to-1))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, s.failed(err)
	}
	if err := s.judge(resp, x, partial); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if skip := x.from; resp.StatusCode == http.StatusOK && skip > 0 {
		if _, err := io.CopyN(io.Discard, resp.Body, skip); err != nil {
			resp.Body.Close()
			return nil, s.failed(fmt.Errorf("it breaks off: %w", err))
		}
	}
	_ = s.said(nil, time.Time{})
	return resp.Body, nil
}

// judge tells what is wrong with an answer.
func (s *Seed) judge(resp *http.Response, x stretch, partial bool) error {
	packed := resp.Header.Get("Content-Encoding")
	switch code := resp.StatusCode; {
	case packed != "" && packed != "identity" && code < 300:
		return s.failed(fmt.Errorf("it sends what it has packed (%.20q)", packed))
	case code == http.StatusPartialContent && partial:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", x.from)) {
			return s.failed(errors.New("it sends another part than was asked for"))
		}
	case code == http.StatusOK:
		if partial && x.from > mostDiscarded {
			return s.failed(errors.New("it does not send parts of files"))
		}
	case code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests:
		wait := retryAfter(resp.Header.Get("Retry-After"), time.Now())
		return s.said(fmt.Errorf("it answers %s and is asked again in %s", resp.Status, face.Seconds(wait)), time.Now().Add(wait))
	case code == http.StatusForbidden || code == http.StatusNotFound || code == http.StatusGone || code == http.StatusUnavailableForLegalReasons:
		return s.lacks(x.file, fmt.Errorf("it answers %s", resp.Status))
	default:
		return s.failed(fmt.Errorf("it answers %s", resp.Status))
	}
	return nil
}

// lacks notes that a file is not on the server. The others may be asked for at
// once.
func (s *Seed) lacks(file int, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lacking[file], s.err, s.until = true, err, time.Time{}
	return err
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
