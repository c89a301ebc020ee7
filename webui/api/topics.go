package api

import (
	"bytes"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// topicRate bounds what one topic sends, in bytes per second: the pieces of a huge
// transfer are sent less often.
const topicRate = 64 << 10

// topicKey identifies a topic: its kind and the transfer.
type topicKey struct {
	kind string // peers, pieces, files, log, discovery, streams; or node, which has no ID
	id   share.ID
}

// topic is one kind of details that readers have subscribed to. hub.mu guards its
// fields.
type topic struct {
	key     topicKey
	readers int
	version uint64 // 0 until there is data
	data    []byte // the event
	due     time.Time
}

// parseTopic reads KIND:ID or node.
func parseTopic(ids ids, s string) (topicKey, error) {
	if s == "node" {
		return topicKey{kind: s}, nil
	}
	kind, prefix, _ := strings.Cut(s, ":")
	switch kind {
	case "peers", "pieces", "files", "log", "discovery", "streams":
	default:
		return topicKey{}, share.Errorf(share.Usage, "unknown topic %q; the topics are peers:ID, pieces:ID, files:ID, log:ID, discovery:ID, streams:ID and node", s)
	}
	id, err := ids.resolve(prefix)
	return topicKey{kind, id}, err
}

// refreshTopics updates the subscribed topics. Only one goroutine calls it.
func (h *hub) refreshTopics() {
	now := time.Now()
	h.mu.Lock()
	var due []topicKey
	for k, t := range h.topics {
		if !now.Before(t.due) {
			due = append(due, k)
		}
	}
	h.mu.Unlock()
	for _, k := range due {
		data := h.topicData(k)
		h.mu.Lock()
		if t := h.topics[k]; t != nil {
			h.refresh(t, data, now)
		}
		h.mu.Unlock()
	}
}

// refresh stores the data of a topic and wakes its readers if it changed; mu is held.
func (h *hub) refresh(t *topic, data []byte, now time.Time) {
	wait := time.Duration(len(data)) * time.Second / topicRate
	// A little early, or the topic would miss every other beat.
	t.due = now.Add(max(wait, patchTime) - patchTime/10)
	if data == nil || bytes.Equal(data, t.data) {
		return
	}
	t.data = data
	t.version++
	for r := range h.readers {
		if _, ok := r.topics[t]; ok {
			r.notify()
		}
	}
}

// topicData makes the event of a topic. It returns nil if the transfer is gone.
func (h *hub) topicData(k topicKey) []byte {
	var v any
	var err error
	switch k.kind {
	case "peers":
		var peers []share.Peer
		peers, err = h.content.Peers(k.id)
		v = struct {
			ID    share.ID     `json:"id"`
			Peers []share.Peer `json:"peers"`
		}{k.id, orEmpty(peers)}
	case "pieces":
		var p share.Pieces
		p, err = h.content.Pieces(k.id)
		v = struct {
			ID share.ID `json:"id"`
			share.Pieces
		}{k.id, p}
	case "files":
		var files []share.File
		files, err = h.content.Files(k.id)
		v = struct {
			ID    share.ID     `json:"id"`
			Files []share.File `json:"files"`
		}{k.id, orEmpty(files)}
	case "discovery":
		var ways []share.Way
		ways, err = h.content.Discovery(k.id)
		v = struct {
			ID   share.ID    `json:"id"`
			Ways []share.Way `json:"ways"`
		}{k.id, orEmpty(ways)}
	case "streams":
		var s share.Streams
		s, err = h.content.Streams(k.id)
		s.Streams = orEmpty(s.Streams)
		v = struct {
			ID share.ID `json:"id"`
			share.Streams
		}{k.id, s}
	case "node":
		v = struct {
			Info   Info   `json:"info"`
			Health Health `json:"health"`
		}{h.node.Info(), h.node.Health().full()}
	case "log":
		v = struct {
			ID  share.ID  `json:"id"`
			Log []LogLine `json:"log"`
		}{k.id, h.logOf(k.id)}
	}
	if err != nil {
		return nil
	}
	return appendJSONEvent(nil, k.kind, "", v)
}

// logLines bounds the lines of the logs of all transfers together.
const logLines = 4096

// logbook keeps the latest log lines of all transfers. hub.mu guards it.
type logbook struct {
	lines []logged // a ring
	next  int
}

type logged struct {
	id   share.ID
	line LogLine
}

func (l *logbook) add(ev share.Event) {
	e := logged{ev.ID, LogLine{Time: ev.Time, Event: ev.Type, Source: ev.Source, Count: ev.Count, Message: ev.Message, MessageText: ev.MessageText, File: ev.File, By: ev.By}}
	if len(l.lines) < logLines {
		l.lines = append(l.lines, e)
		return
	}
	l.lines[l.next] = e
	l.next = (l.next + 1) % logLines
}

func (l *logbook) of(id share.ID) []LogLine {
	out := []LogLine{}
	for i := range l.lines {
		if e := &l.lines[(l.next+i)%len(l.lines)]; e.id == id {
			out = append(out, e.line)
		}
	}
	return out
}

func (l *logbook) rename(was, is share.ID) {
	for i := range l.lines {
		if l.lines[i].id == was {
			l.lines[i].id = is
		}
	}
}

func (l *logbook) forget(id share.ID) { l.rename(id, share.ID{}) }

func (h *hub) logOf(id share.ID) []LogLine {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lines.of(id)
}
