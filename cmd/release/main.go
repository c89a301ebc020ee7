// Command release keeps to itself how the files of a release are made of finished
// binaries: packages for dpkg, rpm and apk, container images, and SBOMs. Two runs over the same
// input give the same files. It is a module of its own, so that what builds releases is
// no dependency of shoal. .ci/dist calls it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// release is what is to be made.
type release struct {
	dist     string // has the binaries, and gets what is made
	tree     string // what make install puts into place, with PREFIX=/usr and DESTDIR
	entries  string // has the binaries of cmd/container
	root     string // of the repository
	zones    string // zoneinfo.zip of the Go release
	version  string // with a v: v1.2.3, v1.2.3-rc.1
	revision string
	time     time.Time // of the commit, given to every file
}

func main() {
	var r release
	var at int64
	flag.StringVar(&r.dist, "dist", "", "`folder` with the binaries, for the results")
	flag.StringVar(&r.tree, "tree", "", "`folder` into which make install has put everything")
	flag.StringVar(&r.entries, "entries", "", "`folder` with the entry programs of the images")
	flag.StringVar(&r.root, "root", "", "`folder` of the repository")
	flag.StringVar(&r.zones, "zones", "", "`file` with the time zones: zoneinfo.zip of Go")
	flag.StringVar(&r.version, "version", "", "`version`, such as v1.2.3")
	flag.StringVar(&r.revision, "revision", "", "`commit`")
	flag.Int64Var(&at, "time", 0, "`seconds` since 1970 of the commit")
	flag.Parse()
	r.time = time.Unix(at, 0).UTC()
	if err := r.make(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// make makes an SBOM of each binary, and the packages and images of some architectures.
func (r *release) make(archs []string) error {
	if err := r.sboms(); err != nil {
		return err
	}
	for _, arch := range archs {
		if err := r.packages(arch); err != nil {
			return err
		}
		if err := r.image(arch); err != nil {
			return fmt.Errorf("the image for %s: %w", arch, err)
		}
	}
	return nil
}

// number is the version without the v.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

// binary is the program for an architecture.
func (r *release) binary(arch string) string { return filepath.Join(r.dist, "shoal-linux-"+arch) }

const (
	homepage = "https://github.com/shoalnet/shoal"
	summary  = "share folders straight from this machine, over IPv6"
)
