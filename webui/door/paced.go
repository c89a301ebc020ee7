package door

import (
	"context"
	"io"
)

// paced reads content as fast as it may be sent.
type paced struct {
	io.ReadSeeker
	ctx context.Context
	up  Upload
}

// heldPart is how much is sent, or taken, at once while anything is held back: as much as
// peers get.
const heldPart = 16 << 10

func (p *paced) Read(b []byte) (int, error) {
	if p.up.Holds() {
		b = b[:min(len(b), heldPart)]
	}
	n, err := p.ReadSeeker.Read(b)
	if n > 0 {
		if err := p.up.Pass(p.ctx, n); err != nil {
			return 0, err
		}
	}
	return n, err
}

// pacedBody takes a body as fast as it may come. What is not taken stays with its sender.
type pacedBody struct {
	io.ReadCloser
	ctx context.Context
	in  Intake
}

func (p *pacedBody) Read(b []byte) (int, error) {
	if p.in.Holds() {
		b = b[:min(len(b), heldPart)]
	}
	n, err := p.ReadCloser.Read(b)
	if n > 0 {
		p.in.Got(n)
		if late := p.in.Pass(p.ctx, n); late != nil && err == nil {
			err = late
		}
	}
	return n, err
}
