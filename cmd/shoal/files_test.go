package main

import (
	"maps"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func TestSelectionChanges(t *testing.T) {
	all := func() []share.File {
		return []share.File{
			{Index: 0, Path: "a.mkv"}, {Index: 1, Path: "b.mkv", Priority: share.Skip},
			{Index: 3, Path: "sub/c.mkv", Priority: share.High}, {Index: 4, Path: "sub/d.txt", Priority: share.Skip},
		}
	}
	type change = map[int]share.Priority
	for _, tt := range []struct {
		name       string
		want, skip []string
		changed    change
		refused    bool
	}{
		{name: "by name, in any folder", want: []string{"*.mkv"}, changed: change{1: share.Normal}},
		{name: "by path", want: []string{"sub/*.txt"}, changed: change{4: share.Normal}},
		{name: "a folder", skip: []string{"sub"}, changed: change{3: share.Skip}},
		{name: "both: it is skipped", want: []string{"*"}, skip: []string{"*.mkv"}, changed: change{0: share.Skip, 3: share.Skip, 4: share.Normal}},
		{name: "as it is", want: []string{"a.mkv"}, skip: []string{"b.mkv"}, changed: change{}},
		{name: "one pattern matches nothing", want: []string{"a.mkv", "e*"}, refused: true},
		{name: "nothing is left", skip: []string{"*"}, refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := selection{tt.want, tt.skip}.apply(share.Transfer{Name: "films"}, all())
			if tt.refused {
				checkKind(t, err, share.Usage)
				return
			}
			if err != nil || !maps.Equal(got, tt.changed) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
