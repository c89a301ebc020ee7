package native

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/webseed"
)

// webseeds draws the content of one swarm from web servers.
type webseeds struct {
	ctx    context.Context
	cancel context.CancelFunc
	runs   sync.WaitGroup

	mu    sync.Mutex
	files *webseed.Files // nil until there is a web seed
	all   []*webseed.Seed
	more  chan struct{} // closed when something may be missing that was not
}

func newWebseeds(ctx context.Context) *webseeds {
	w := &webseeds{more: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(ctx)
	return w
}

// end returns when nothing is drawn any more.
func (w *webseeds) end() {
	w.mu.Lock()
	w.cancel() // none is begun after this
	w.mu.Unlock()
	w.runs.Wait()
}

// poke tells that something may be missing.
func (w *webseeds) poke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.more)
	w.more = make(chan struct{})
}

// change is closed at the next poke.
func (w *webseeds) change() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.more
}

// AddWebSeeds implements face.Swarm.
func (s *Swarm) AddWebSeeds(urls []string) {
	w := s.web
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil || s.wishes.readOnly {
		return
	}
	for _, u := range face.UsableSeeds(urls) {
		if len(w.all) >= face.MaxWebSeeds || slices.ContainsFunc(w.all, func(x *webseed.Seed) bool { return x.URL() == u }) {
			continue
		}
		if w.files == nil {
			files, err := webseed.Read(s.info)
			if err != nil {
				s.of.cfg.Logger.Warn("no web seed is asked", "transfer", s.id.Short(), "error", err)
				return
			}
			w.files = files
		}
		seed := webseed.New(u, w.files, s.of.web)
		w.all = append(w.all, seed)
		w.runs.Go(func() { s.draw(seed) })
	}
}

// WebSeeds implements face.Swarm.
func (s *Swarm) WebSeeds() []face.WebSeed {
	s.web.mu.Lock()
	defer s.web.mu.Unlock()
	out := make([]face.WebSeed, len(s.web.all))
	for i, seed := range s.web.all {
		out[i] = seed.State()
	}
	return out
}

// draw fetches from a web seed whenever something is missing and it may be asked.
func (s *Swarm) draw(seed *webseed.Seed) {
	ctx := s.web.ctx
	for {
		more := s.web.change()
		if !seed.Wait(ctx) {
			return
		}
		err := s.run.Draw(ctx, seed, seed.Have(len(s.wishes.want), s.wishes.pieceLength))
		switch {
		case errors.Is(err, swarm.ErrClosed):
			return
		case errors.Is(err, swarm.ErrWrong):
			seed.Condemn(err)
			return
		case errors.Is(err, swarm.ErrMute):
			seed.Rest(err)
		case errors.Is(err, swarm.ErrUseless):
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}
