package share

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChecks(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for _, tt := range []struct {
		about string
		err   error
		ok    bool
	}{
		{"no limits", Limits{}.Check(), true},
		{"limits", Limits{Down: 1, Up: math.MaxInt64}.Check(), true},
		{"a negative limit down", Limits{Down: -1}.Check(), false},
		{"a negative limit up", Limits{Up: -1}.Check(), false},
		{"no change", LimitChange{}.Check(), true},
		{"a change to no limit", LimitChange{Up: n(0)}.Check(), true},
		{"a change to a negative limit", LimitChange{Down: n(-1)}.Check(), false},
		{"no goal", Goal{}.Check(), true},
		{"a goal", Goal{Ratio: 1.5, For: time.Hour}.Check(), true},
		{"a negative ratio", Goal{Ratio: -1}.Check(), false},
		{"a ratio that is no number", Goal{Ratio: math.NaN()}.Check(), false},
		{"a negative time", Goal{For: -1}.Check(), false},
	} {
		if ok := tt.err == nil; ok != tt.ok || !ok && KindOf(tt.err) != Usage {
			t.Errorf("%s: %v", tt.about, tt.err)
		}
	}
}

func TestLimitChange(t *testing.T) {
	was := Limits{Down: 1, Up: 2}
	up := int64(7)
	for _, tt := range []struct {
		change LimitChange
		want   Limits
	}{
		{LimitChange{}, was},
		{LimitChange{Up: &up}, Limits{Down: 1, Up: 7}},
		{LimitChange{Down: &up}, Limits{Down: 7, Up: 2}},
		{Limits{Down: 3}.Change(), Limits{Down: 3}},
	} {
		if got := tt.change.Apply(was); got != tt.want {
			t.Errorf("got %+v, want %+v", got, tt.want)
		}
	}
}

func TestLeftOutIsBoundedAndVisible(t *testing.T) {
	var l LeftOut
	l.Add("a/\xff\xc3b é", Say("its name is not UTF-8"))
	for i := range MaxLeftOut + 5 {
		l.Add(fmt.Sprint(i), Say("permission denied"))
	}
	if l.Count != MaxLeftOut+6 || len(l.Items) != MaxLeftOut {
		t.Errorf("%d counted, %d kept", l.Count, len(l.Items))
	}
	if want := `a/\xff\xc3b é`; l.Items[0].Path != want || l.Items[0].Reason != "its name is not UTF-8" {
		t.Error(cmp.Diff(want, l.Items[0]))
	}
}

func TestFoundSaysWhatHappens(t *testing.T) {
	for _, tt := range []struct {
		found Found
		want  []string
	}{
		{Found{Path: "/a/film", Right: 30, Length: 40}, []string{"/a/film is completed in place", "75 %"}},
		{Found{Path: "/a/film", Beside: "/a/film (2)", Length: 40}, []string{"/a/film exists", "0 %", "/a/film (2)"}},
		{Found{Path: "/a/none"}, []string{"100 %"}},
	} {
		for _, part := range tt.want {
			if got := tt.found.String(); !strings.Contains(got, part) {
				t.Errorf("%q does not say %q", got, part)
			}
		}
	}
}
