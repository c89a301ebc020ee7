package api

import (
	"strings"

	"github.com/shoalnet/shoal/share"
)

// ids finds the transfers that IDs name, v1 or v2, whole or shortened.
type ids struct{ transfers Transfers }

// resolve finds the ID that s is or begins.
func (r ids) resolve(s string) (share.ID, error) {
	s = strings.ToLower(s)
	if len(s) == 40 {
		return share.ParseID(s)
	}
	if s == "" || len(s) > 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return share.ID{}, share.Errorf(share.Usage, "%.60q is not an ID or the beginning of one", s)
	}
	var found []share.Transfer
	for _, t := range r.transfers.List() {
		if begins(&t, s) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return share.ID{}, share.Errorf(share.Failed, "%w: %s", share.ErrUnknown, s)
	case 1:
		return found[0].ID, nil
	}
	return share.ID{}, share.Errorf(share.Usage, "the IDs of %d transfers begin with %s: %s: %w", len(found), s, examples(found), errAmbiguous)
}

// begins tells whether an ID of t begins with s.
func begins(t *share.Transfer, s string) bool {
	return strings.HasPrefix(t.ID.String(), s) || !t.V1.IsZero() && strings.HasPrefix(t.V1.String(), s) ||
		!t.V2.IsZero() && strings.HasPrefix(t.V2.String(), s)
}

// onID calls f with the ID that s names.
func onID[T any](r ids, s string, f func(share.ID) (T, error)) (T, error) {
	id, err := r.resolve(s)
	if err != nil {
		var zero T
		return zero, err
	}
	return f(id)
}

// act is onID for what returns nothing but an error.
func (r ids) act(s string, f func(share.ID) error) (*none, error) {
	id, err := r.resolve(s)
	if err != nil {
		return nil, err
	}
	return nil, f(id)
}

// examples lists a few of the transfers by just enough digits to tell them apart.
func examples(found []share.Transfer) string {
	digits := 8
	for i := range found {
		for j := range i {
			a, b := found[i].ID.String(), found[j].ID.String()
			n := 0
			for n < 40 && a[n] == b[n] {
				n++
			}
			digits = min(max(digits, n+1), 40)
		}
		if i == 50 {
			break
		}
	}
	var names []string
	for _, t := range found[:min(len(found), 4)] {
		names = append(names, t.ID.String()[:digits])
	}
	if len(found) > 4 {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
