package webui

import (
	"io"
	"net/http"
	"time"
)

// timedBody ends a request whose body stalls or is not complete at end. It removes the
// deadline between reads, because one that passes ends the handler's context, too.
type timedBody struct {
	control *http.ResponseController
	body    io.ReadCloser
	end     time.Time // zero: no limit while bytes arrive
}

func (b *timedBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(readPause)
	if !b.end.IsZero() && b.end.Before(deadline) {
		deadline = b.end
	}
	// Recorders in tests have no connection to set a deadline on.
	_ = b.control.SetReadDeadline(deadline)
	n, err := b.body.Read(p)
	if err == nil || err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (b *timedBody) Close() error { return b.body.Close() }
