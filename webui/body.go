package webui

import (
	"io"
	"net/http"
	"time"
)

// timedBody ends a request whose body stalls, or as a whole takes longer than
// until end. The deadline is lifted between reads: left standing it would end
// the handler's context, too.
type timedBody struct {
	control *http.ResponseController
	body    io.ReadCloser
	end     time.Time // zero: no end as long as bytes come
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
