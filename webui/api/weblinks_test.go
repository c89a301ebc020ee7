package api

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

// fakeWebLinks are web links in memory.
type fakeWebLinks struct {
	all []WebLink
	new NewWebLink

	seeds []string
}

func (f *fakeWebLinks) List() ([]WebLink, error) { return f.all, nil }

func (f *fakeWebLinks) Create(id share.ID, n NewWebLink) (WebLink, error) {
	f.new = n
	l := WebLink{ID: "0123456789ab", Transfer: id, URL: "http://[2001:db8::5]/s/x", Created: time.Unix(1_800_000_000, 0).UTC(), Expires: n.Expires, Password: n.Password != ""}
	f.all = append(f.all, l)
	return l, nil
}

func (f *fakeWebLinks) SetSeed(id share.ID, on bool) error {
	f.seeds = append(f.seeds, fmt.Sprint(id.Short(), " ", on))
	return nil
}

func (f *fakeWebLinks) Revoke(id string) error {
	i := slices.IndexFunc(f.all, func(l WebLink) bool { return l.ID == id })
	if i < 0 {
		return share.Errorf(share.Failed, "%w: %s", ErrNoWebLink, id)
	}
	f.all = slices.Delete(f.all, i, i+1)
	return nil
}

func TestWebLinks(t *testing.T) {
	f := newFake(2)
	c, _, _ := serve(t, f)
	ctx := quietContext(t)
	n := NewWebLink{Expires: time.Unix(1_900_000_000, 0).UTC(), MaxDownloads: 3, Password: "sesame"}
	made, err := c.NewWebLink(ctx, testID(1), n)
	if err != nil || made.Transfer != testID(1) || f.webLinks.new != n {
		t.Fatalf("%+v, %v; asked for %+v", made, err, f.webLinks.new)
	}
	if all, err := c.WebLinks(ctx); err != nil || cmp.Diff(all, []WebLink{made}) != "" {
		t.Errorf("%v %v", all, err)
	}
	for of, want := range map[string]int{testID(1).String(): 1, testID(0).String(): 0} {
		if some, err := get[[]WebLink](ctx, c, "/web-links?transfer="+of); err != nil || len(some) != want {
			t.Errorf("of %s: %v %v", of, some, err)
		}
	}
	if err := c.RevokeWebLink(ctx, made.ID); err != nil {
		t.Error(err)
	}
	if err := c.RevokeWebLink(ctx, made.ID); !errors.Is(err, ErrNoWebLink) {
		t.Errorf("ending it again: %v", err)
	}
	if all, err := c.WebLinks(ctx); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
	for _, on := range []bool{true, false} {
		if err := c.SetWebSeed(ctx, testID(1), on); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{testID(1).Short() + " true", testID(1).Short() + " false"}; !slices.Equal(f.webLinks.seeds, want) {
		t.Errorf("%v, want %v", f.webLinks.seeds, want)
	}
	if _, err := c.NewWebLink(ctx, testID(1), NewWebLink{MaxDownloads: -1}); share.KindOf(err) != share.Usage {
		t.Errorf("a link for -1 downloads: %v", err)
	}
}
