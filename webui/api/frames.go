package api

import (
	"encoding/json"
	"reflect"

	"github.com/shoalnet/shoal/share"
)

// The wire format of the event stream. Encoded JSON has no line breaks, so that each
// event has one data line:
//
//	event: KIND
//	id: BOOT-SEQ
//	data: JSON
//

func beginEvent(b []byte, kind, id string) []byte {
	b = append(b, "event: "...)
	b = append(b, kind...)
	if id != "" {
		b = append(b, "\nid: "...)
		b = append(b, id...)
	}
	return append(b, "\ndata: "...)
}

func endEvent(b []byte) []byte { return append(b, "\n\n"...) }

func appendJSONEvent(b []byte, kind, id string, v any) []byte {
	enc, err := json.Marshal(v)
	if err != nil { // a ratio that is not a number
		return b
	}
	return endEvent(append(beginEvent(b, kind, id), enc...))
}

func appendPatch(b []byte, id string, parts []part, stats []byte, now *sides) []byte {
	b = beginEvent(b, "patch", id)
	begin := len(b)
	if len(parts) > 0 {
		b = append(b, `,"transfers":{`...)
		for i, p := range parts {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendKey(b, p.id)
			if p.patch == nil {
				b = append(b, "null"...)
			} else {
				b = append(b, p.patch...)
			}
		}
		b = append(b, '}')
	}
	if stats != nil {
		b = append(append(b, `,"stats":`...), stats...)
	}
	if now != nil {
		b = now.appendMembers(b)
	}
	b[begin] = '{' // in the place of the first member's comma
	return endEvent(append(b, '}'))
}

func appendReset(b []byte, id string, rows map[share.ID]*share.Transfer, cols []column, stats *share.Stats, statCols []column, now *sides) []byte {
	b = append(beginEvent(b, "reset", id), `{"transfers":{`...)
	first := true
	for id, t := range rows {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendKey(b, id)
		b = appendObject(b, reflect.ValueOf(t).Elem(), cols)
	}
	b = append(b, '}')
	if stats != nil {
		b = append(b, `,"stats":`...)
		b = appendObject(b, reflect.ValueOf(*stats), statCols)
	}
	if now != nil {
		b = now.appendMembers(b)
	}
	return endEvent(append(b, '}'))
}

func appendKey(b []byte, id share.ID) []byte {
	b = append(b, '"')
	b = append(b, id.String()...)
	return append(b, `":`...)
}
