package engine

import (
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// Owners that a row has are never changed, whatever becomes of those of its
// transfer.
func TestOwnersAreValues(t *testing.T) {
	c := Lease("c").owner()
	all := append(make(owners, 0, 10), User, c, ChannelOwner("k"))
	was := slices.Clone(all)
	for _, test := range []struct{ got, want owners }{
		{all.with(User), all},
		{all.with(WatchOwner("/d")), owners{User, c, ChannelOwner("k"), WatchOwner("/d")}},
		{all.without(User), owners{c, ChannelOwner("k")}},
		{all.without("nobody"), all},
		{all.lasting(), owners{User, ChannelOwner("k")}},
		{owners{c}.lasting(), owners{}},
		{all.once(""), all},
		{owners{c}.once(User), owners{User}},
		{all.once(User), owners{User, ChannelOwner("k")}},
		{all.once(WatchOwner("/d")), owners{User, ChannelOwner("k"), WatchOwner("/d")}},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%v, want %v", test.got, test.want)
		}
		if !slices.Equal(all, was) {
			t.Fatalf("the owners became %v", all)
		}
	}
	for o, by := range map[Owner]bool{User: true, resting: true, c: true, ChannelOwner("k"): false, MirrorOwner("k"): false, WatchOwner("/d"): false} {
		if (owners{o}).byUser() != by {
			t.Errorf("%s is a person: %v", o, !by)
		}
	}
}

func TestLeasesEnd(t *testing.T) {
	l := leases{"runs": true}
	for _, test := range []struct {
		lease Lease
		owner Owner
		want  Owner
	}{
		{"", "", User}, {"", ChannelOwner("k"), ChannelOwner("k")}, {"runs", "", "command:runs"}, {"runs", User, "command:runs"},
	} {
		if got, err := l.owner(test.lease, test.owner); got != test.want || err != nil {
			t.Errorf("%q, %q: %q, %v", test.lease, test.owner, got, err)
		}
	}
	if _, err := l.owner("ended", User); share.KindOf(err) != share.Interrupted {
		t.Errorf("a command that has ended: %v", err)
	}
}
