package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Session is the use of a node: of a running one, or of one in this process.
type Session struct {
	Client *api.Client
	Info   api.Info // as it was when the session began
	Own    bool     // the node is this process's own and ends with the session

	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; read after done
}

// Dial connects to the node that runs on a state directory. If none runs, the error is of
// kind share.NoNode; if it has another version of the API, of kind share.Failed.
func Dial(ctx context.Context, state string) (*Session, error) {
	socket := filepath.Join(state, socketName)
	c := api.NewClient(func(ctx context.Context) (net.Conn, error) { return dialSocket(ctx, socket) })
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	info, err := c.Hello(ctx)
	if err != nil {
		c.Close()
		if share.KindOf(err) == share.NoNode && ctx.Err() == nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
				err = share.Errorf(share.NoNode, "no node is running on %s (shoal daemon starts one)", state)
			} else {
				err = share.Errorf(share.NoNode, "no node is running on %s (shoal daemon starts one): %w", state, err)
			}
		}
		return nil, err
	}
	return &Session{Client: c, Info: info}, nil
}

// helloTime is how long a node may take to answer the first request.
const helloTime = 10 * time.Second

// Open connects to the node that runs on the state directory, or starts one in this
// process. The session must be closed.
func Open(ctx context.Context, o Options) (*Session, error) {
	deadline := time.Now().Add(turnTime)
	for {
		s, err := Dial(ctx, o.Config.State)
		if err == nil || share.KindOf(err) != share.NoNode {
			return s, err
		}
		s, err = start(ctx, o)
		if err == nil || !errors.Is(err, ErrLocked) || time.Now().After(deadline) {
			return s, err
		}
		// Another node is starting or stopping: ask again soon.
		if werr := waitTurn(ctx); werr != nil {
			return nil, err
		}
	}
}

// turnTime is how long another node may lock the state directory without answering. It
// may take stopTime to stop.
const turnTime = stopTime + 5*time.Second

func waitTurn(ctx context.Context) error {
	select {
	case <-time.After(100 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func start(ctx context.Context, o Options) (*Session, error) {
	n, err := New(o)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Session{Own: true, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = n.Run(run)
	}()
	select {
	case <-n.Ready():
	case <-s.done:
		cancel()
		return nil, s.err
	case <-ctx.Done():
		cancel()
		<-s.done
		return nil, share.Errorf(share.Interrupted, "starting a node: %w", ctx.Err())
	}
	s.Client, s.Info = n.Client(), n.Info()
	return s, nil
}

// Done is closed when the session's own node has stopped by itself; it is nil for a
// running node.
func (s *Session) Done() <-chan struct{} {
	if !s.Own {
		return nil
	}
	return s.done
}

// Close ends the session and stops its own node, if it has one. It returns that node's
// error.
func (s *Session) Close() error {
	s.Client.Close()
	if !s.Own {
		return nil
	}
	s.cancel()
	<-s.done
	if s.err != nil {
		return fmt.Errorf("the node: %w", s.err)
	}
	return nil
}
