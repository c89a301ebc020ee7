package api

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/shoalnet/shoal/index"
)

// sides are the parts of the event document beside transfers and totals. They are
// small: the hub reads each of them whole, once a second while there are readers, and
// sends a merge patch of what changed.
type sides [3]json.RawMessage

var sideNames = [len(sides{})]string{"channels", "network", "incoming"}

// readSides asks the node for the sides. The caller holds no lock.
func (h *hub) readSides() *sides {
	channels := map[string]index.Channel{}
	for _, c := range h.channels.List() {
		channels[c.ID.String()] = c
	}
	incoming := map[string]Coming{}
	for _, c := range h.incoming.List() {
		incoming[c.ID] = c
	}
	var s sides
	for i, v := range [...]any{channels, fullReport(h.network.Report()), incoming} {
		b, err := json.Marshal(v)
		if err != nil { // a float that is not a number
			b = []byte("{}")
		}
		s[i] = b
	}
	return &s
}

// followed reports whether any reader reads the sides; mu is held.
func (h *hub) followed() bool {
	for r := range h.readers {
		if r.all() {
			return true
		}
	}
	return false
}

// appendMembers writes the sides as members of an object, each after a comma.
func (s *sides) appendMembers(b []byte) []byte {
	for i, side := range s {
		if side != nil {
			b = append(b, `,"`+sideNames[i]+`":`...)
			b = append(b, side...)
		}
	}
	return b
}

// patchTo returns the merge patches (RFC 7396) that turn each side into the next one;
// nil where it did not change.
func (s *sides) patchTo(next *sides) (patch sides, changed bool) {
	for i := range s {
		switch {
		case bytes.Equal(s[i], next[i]):
		case s[i] == nil:
			patch[i], changed = next[i], true
		default:
			var old, is any
			if json.Unmarshal(s[i], &old) != nil || json.Unmarshal(next[i], &is) != nil {
				continue // both were made by json.Marshal
			}
			if d, ok := mergeDiff(old, is); ok {
				if b, err := json.Marshal(d); err == nil {
					patch[i], changed = b, true
				}
			}
		}
	}
	return patch, changed
}

// mergeDiff returns the merge patch that turns old into is; ok is false if they are
// equal.
func mergeDiff(old, is any) (patch any, ok bool) {
	a, isA := old.(map[string]any)
	b, isB := is.(map[string]any)
	if !isA || !isB {
		return is, !reflect.DeepEqual(old, is)
	}
	out := map[string]any{}
	for k, v := range b {
		was, had := a[k]
		if !had {
			out[k] = v
		} else if p, changed := mergeDiff(was, v); changed {
			out[k] = p
		}
	}
	for k := range a {
		if _, still := b[k]; !still {
			out[k] = nil
		}
	}
	return out, len(out) > 0
}
