package main

import (
	"runtime/debug"
	"testing"
)

// A release says its tag and commit; other binaries what the Go tool knows of them.
func TestVersion(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}
	for _, c := range []struct {
		name, release string
		info          *debug.BuildInfo
		version       string
		revision      string
		modified      bool
	}{
		{"a release", "v1.2.3 0123456789abcdef", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs}, "v1.2.3", "0123456789abcdef", false},
		{"go install", "", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3", "", false},
		{"a working tree", "", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs}, "devel", "abc", true},
		{"no build information", "", nil, "devel", "", false},
	} {
		v := versionOf(c.release, c.info)
		if v.Version != c.version || v.Revision != c.revision || v.Modified != c.modified {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}
