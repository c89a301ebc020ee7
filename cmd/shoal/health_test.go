package main

import (
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// A monitor sees by the status that the node does not work, and reads why.
func TestHealth(t *testing.T) {
	out, stdout, _ := testOutput(false)
	if err := sayHealth(api.Health{OK: true}, out); err != nil || stdout.String() != "The node works.\n" {
		t.Errorf("%v %q", err, stdout.String())
	}
	out, stdout, _ = testOutput(false)
	err := sayHealth(api.Health{Problems: []string{"the disk is \x1bgone"}}, out)
	if share.KindOf(err) != share.Failed || !strings.Contains(err.Error(), "the disk is") {
		t.Errorf("%v", err)
	}
	if got := stdout.String(); !strings.HasPrefix(got, "the disk is ") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}
