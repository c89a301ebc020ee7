package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// release is the version and the commit of a release, with a space between. The linker
// sets it (.ci/dist): what the Go tool writes into a binary depends on the flags and the
// folder in which it was built.
var release string

func versionVerb() *verb {
	return &verb{
		name: "version", short: "print the version", group: "Other",
		examples: []example{{"shoal version --json", "for a bug report"}},
		run: func(_ context.Context, c *call) error {
			v := buildVersion()
			if c.out.json {
				c.out.record(v)
				return nil
			}
			line := "shoal " + v.Version
			if v.Revision != "" {
				line += " " + v.Revision[:min(12, len(v.Revision))]
			}
			c.out.data(fmt.Sprintf("%s (%s, %s/%s)", line, v.Go, v.OS, v.Arch))
			return nil
		},
	}
}

type versionRecord struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// buildVersion is the version of a release or, in another binary, what the Go tool wrote
// into it.
func buildVersion() versionRecord {
	info, _ := debug.ReadBuildInfo()
	return versionOf(release, info)
}

func versionOf(release string, info *debug.BuildInfo) versionRecord {
	v := versionRecord{Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if release != "" {
		v.Version, v.Revision, _ = strings.Cut(release, " ")
		return v
	}
	if info == nil {
		return v
	}
	if m := info.Main.Version; m != "" && m != "(devel)" {
		v.Version = m
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
