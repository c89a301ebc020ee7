package lan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	lookEvery = 5 * time.Second // between checks of the interfaces
	// The wait after a failure: IPv6 or the permission may come later.
	reopenAfter = 30 * time.Second
)

// Run announces and listens until ctx ends. A host without a usable network is not
// an error, because one may appear later. Call Run only once.
func (n *Node) Run(ctx context.Context) error {
	level := slog.LevelWarn
	for {
		err := n.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		n.cfg.Logger.Log(ctx, level, "local discovery does not work at present", "error", err)
		level = slog.LevelDebug // warn only once
		select {
		case <-time.After(reopenAfter):
		case <-ctx.Done():
			return nil
		}
	}
}

// session announces and listens on one socket until it fails.
func (n *Node) session(ctx context.Context) error {
	sock, err := n.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel(nil)
	defer sock.Close()
	group.Go(func() { cancel(n.listen(sock)) })

	joined := map[int]network{}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	send := time.NewTimer(0)
	defer send.Stop()
	n.follow(sock, joined)
	for {
		send.Reset(n.untilSpeaking(len(joined)))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-n.cfg.Changed:
			n.follow(sock, joined)
		case <-look.C:
			n.follow(sock, joined)
		case <-n.wake:
		case <-send.C:
			n.speak(sock, joined)
		}
	}
}

// untilSpeaking returns the time until the next datagram may be due.
func (n *Node) untilSpeaking(networks int) time.Duration {
	silent := networks == 0 || n.cfg.Port() == 0
	n.mu.Lock()
	defer n.mu.Unlock()
	wait := n.out.wait(n.cfg.Now())
	if silent {
		wait = max(wait, time.Second)
	}
	return wait
}

// listen returns when the socket is closed or broken.
func (n *Node) listen(sock socket) error {
	buf := make([]byte, maxReceive+1)
	failed := 0
	for {
		size, from, err := sock.receive(buf)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			// A single error may be due to an interface that went away.
			if failed++; failed > 10 {
				return fmt.Errorf("receiving on the local network: %w", err)
			}
			continue
		}
		failed = 0
		n.receive(buf[:size], from)
	}
}

// follow joins the group on new interfaces and drops those that are gone. If there
// is a new interface or address, it announces all IDs again.
func (n *Node) follow(sock socket, joined map[int]network) {
	now, err := n.interfaces()
	if err != nil {
		n.cfg.Logger.Debug("local discovery keeps its interfaces", "error", err)
		return
	}
	present := map[int]bool{}
	more := false
	for _, ifi := range now {
		present[ifi.Index] = true
		if was, ok := joined[ifi.Index]; ok {
			more = more || was.addrs != ifi.addrs
			joined[ifi.Index] = ifi // its name may have changed
			continue
		}
		if err := sock.join(ifi.Interface); err != nil {
			n.cfg.Logger.Debug("local discovery leaves out an interface", "interface", ifi.Name, "error", err)
			continue
		}
		joined[ifi.Index] = ifi
		more = true
	}
	for index, ifi := range joined {
		if present[index] {
			continue
		}
		delete(joined, index)
		if err := sock.leave(ifi.Interface); err != nil {
			n.cfg.Logger.Debug("leaving an interface that is gone", "interface", ifi.Name, "error", err)
		}
	}
	if more {
		n.mu.Lock()
		n.out.announceAll(n.cfg.Now())
		n.mu.Unlock()
	}
}

// speak sends one datagram to every network, if there is one to send.
func (n *Node) speak(sock socket, joined map[int]network) {
	port := n.cfg.Port()
	if port == 0 || len(joined) == 0 {
		return
	}
	n.mu.Lock()
	ids := n.out.take(n.cfg.Now())
	n.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	b := message{port: port, ids: ids, cookie: n.cookie}.bytes()
	for _, ifi := range joined {
		if err := sock.send(ifi.Interface, b); err != nil {
			n.cfg.Logger.Debug("announce not sent", "interface", ifi.Name, "error", err)
		}
	}
}
