package api

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// mergePatch applies a merge patch (RFC 7396) to a document and returns the new
// document. It changes neither argument.
func mergePatch(doc, patch json.RawMessage) (json.RawMessage, error) {
	if !isObject(patch) {
		return patch, nil
	}
	changes := map[string]json.RawMessage{}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, fmt.Errorf("reading a patch: %w", err)
	}
	members := map[string]json.RawMessage{}
	if isObject(doc) {
		if err := json.Unmarshal(doc, &members); err != nil {
			return nil, fmt.Errorf("reading the document that is patched: %w", err)
		}
	}
	for k, v := range changes {
		if bytes.Equal(bytes.TrimSpace(v), []byte("null")) {
			delete(members, k)
			continue
		}
		m, err := mergePatch(members[k], v)
		if err != nil {
			return nil, err
		}
		members[k] = m
	}
	return json.Marshal(members)
}

func isObject(b json.RawMessage) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 0 && b[0] == '{'
}
