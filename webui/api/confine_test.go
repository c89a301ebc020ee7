package api

import (
	"context"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func TestConfinedRequestsStayInTheirFolders(t *testing.T) {
	narrow := Confine(context.Background())
	for _, c := range []struct {
		ctx          context.Context
		folder, path string
		ok           bool
	}{
		{context.Background(), "/srv/in", "/etc", true},
		{narrow, "/srv/in", "/srv/in", true},
		{narrow, "/srv/in", "/srv/in/a/b", true},
		{narrow, "/srv/in", "/srv/in/a/../../out", false},
		{narrow, "/srv/in", "/srv/inside", false},
		{narrow, "/srv/in", "/etc/passwd", false},
		{narrow, "/srv/in", "in/a", false},
		{narrow, "", "/srv", false},
	} {
		if err := within(c.ctx, c.folder, c.path, "it"); (err == nil) != c.ok || err != nil && share.KindOf(err) != share.Refused {
			t.Errorf("%s in %s: %v", c.path, c.folder, err)
		}
	}
}
