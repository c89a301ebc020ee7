package engine

import (
	"log/slog"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// publisher turns what happens to transfers into events. It is owned by the loop.
type publisher struct {
	hub *hub
	log *slog.Logger
	now func() time.Time
	own *self
	// webSeeds are where this node serves a transfer over HTTP; nil for nowhere.
	webSeeds func(id share.ID, added time.Time) []string
}

// snapshot is t as callers see it, with a link that names this node.
func (p *publisher) snapshot(t *transfer) share.Transfer {
	now := p.now()
	at := where{peers: p.own.inLinks(now)}
	if p.webSeeds != nil {
		at.webSeeds = p.webSeeds(t.id, t.added)
	}
	return t.snapshot(now, at)
}

// tell publishes an event of one type about t.
func (p *publisher) tell(t *transfer, what share.EventType, message share.Text) {
	p.publish(t, share.Event{Type: what, Message: message.String(), MessageText: message.Of()})
}

// publish publishes ev about t, with its snapshot. EventShared is the first event with the
// real ID of a share: subscribers never see it under both.
func (p *publisher) publish(t *transfer, ev share.Event) {
	if !t.was.IsZero() {
		t.stale = true
		return
	}
	s := p.snapshot(t)
	t.shown, t.stale = s, false
	if p.hub.watched() {
		ev.ID, ev.Transfer = t.id, &s
		p.hub.publish(p.now(), ev)
	}
}

// bare publishes an event without a snapshot.
func (p *publisher) bare(ev share.Event) {
	if p.hub.watched() {
		p.hub.publish(p.now(), ev)
	}
}

// note adds a line to the log of t.
func (p *publisher) note(t *transfer, format string, args ...any) {
	message := share.Say(format, args...)
	p.log.Debug(message.String(), "id", t.id.Short())
	p.bare(share.Event{Type: share.EventNote, ID: t.id, Message: message.String(), MessageText: message.Of()})
}

// changed publishes a new state of t at once. Everything else that is different is
// published by refresh.
func (p *publisher) changed(t *transfer) {
	t.stale = true
	if t.state() != t.shown.State && t.removing == nil {
		p.tell(t, share.EventChanged, share.Text{})
	}
}

// refresh publishes what has changed of t since the last event; to be called each
// second.
func (p *publisher) refresh(t *transfer) {
	if s := t.state(); !t.stale && (s == share.Seeding || s == share.Paused) && t.level() != live {
		return
	}
	if differs(p.snapshot(t), t.shown) {
		p.tell(t, share.EventChanged, share.Text{})
	}
	t.stale = false
}

// differs tells whether subscribers should hear of a change. A countdown alone is
// none.
func differs(a, b share.Transfer) bool {
	noDigits := func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}
	a.ReasonText, b.ReasonText = nil, nil // as Reason
	a.Looked = b.Looked                   // nor is a look that found nothing new
	a.Reason, b.Reason = strings.Map(noDigits, a.Reason), strings.Map(noDigits, b.Reason)
	return a != b
}
