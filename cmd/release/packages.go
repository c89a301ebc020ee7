package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/apk"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
)

// scripts run when a package is installed and removed.
//
//go:embed scripts
var scripts embed.FS

// kind is a format of packages.
type kind struct {
	name     string
	packager interface {
		nfpm.Packager
		ConventionalFileName(*nfpm.Info) string
	}
	// path moves a file to where the systems of this kind look for it; empty leaves it
	// out.
	path func(string) string
}

var kinds = []kind{
	{"deb", deb.Default, func(p string) string {
		return strings.Replace(p, "/zsh/site-functions/", "/zsh/vendor-completions/", 1)
	}},
	{"rpm", rpm.DefaultRPM, func(p string) string { return p }},
	{"apk", apk.Default, func(p string) string {
		if strings.Contains(p, "/systemd/") || strings.HasPrefix(p, "/usr/lib/shoal/") { // of its unit
			return ""
		}
		return p
	}},
}

// packages makes one of each kind.
func (r *release) packages(arch string) error {
	dir, err := os.MkdirTemp("", "shoal-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := r.writeScripts(dir); err != nil {
		return fmt.Errorf("writing the scripts: %w", err)
	}
	for _, k := range kinds {
		info, err := r.describe(k, arch, dir)
		if err != nil {
			return err
		}
		// It names architecture and version in the words of the kind.
		name := k.packager.ConventionalFileName(info)
		var b bytes.Buffer
		if err := k.packager.Package(info, &b); err != nil {
			return fmt.Errorf("making %s: %w", name, err)
		}
		content := b.Bytes()
		if k.name == "apk" {
			if content, err = inOrder(content); err != nil {
				return fmt.Errorf("ordering the scripts of %s: %w", name, err)
			}
		}
		if err := os.WriteFile(filepath.Join(r.dist, name), content, 0o644); err != nil {
			return err
		}
		fmt.Printf("dist/%s\n", name)
	}
	return nil
}

// writeScripts writes the scripts to a folder, with the time that the package is to show.
func (r *release) writeScripts(dir string) error {
	all, err := scripts.ReadDir("scripts")
	if err != nil {
		return err
	}
	for _, e := range all {
		text, err := scripts.ReadFile("scripts/" + e.Name())
		if err != nil {
			return err
		}
		file := filepath.Join(dir, e.Name())
		if err := os.WriteFile(file, text, 0o755); err != nil {
			return err
		}
		if err := os.Chtimes(file, r.time, r.time); err != nil {
			return err
		}
	}
	return nil
}

// inOrder sorts the scripts in an apk, which nfpm writes in any order. The first of its two
// streams holds them; it is a tar without an end.
func inOrder(apk []byte) ([]byte, error) {
	in := bytes.NewReader(apk)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	type entry struct {
		header  *tar.Header
		content []byte
	}
	var all []entry
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		all = append(all, entry{h, content})
	}
	if _, err := io.Copy(io.Discard, z); err != nil { // to the end of the stream
		return nil, err
	}
	slices.SortFunc(all, func(a, b entry) int { // .PKGINFO stays the first
		return cmp.Compare(a.header.Name, b.header.Name)
	})
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	t := tar.NewWriter(w)
	for _, e := range all {
		if err := t.WriteHeader(e.header); err != nil {
			return nil, err
		}
		if _, err := t.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := t.Flush(); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	_, err = io.Copy(&out, in)
	return out.Bytes(), err
}

// describe says what is in a package.
func (r *release) describe(k kind, arch, scripts string) (*nfpm.Info, error) {
	contents, err := r.contents(k, arch)
	if err != nil {
		return nil, err
	}
	info := &nfpm.Info{
		Name: "shoal", Arch: arch, Platform: "linux", Version: r.version, VersionSchema: "semver",
		Section: "net", Priority: "optional", Maintainer: "The shoal project <noreply@shoal.invalid>",
		Description: summary + "\nA share becomes a link, and anyone with the link downloads the files from those who\n" +
			"have them: no tracker, no account, no server in the middle. It speaks BitTorrent.",
		Vendor: "The shoal project", Homepage: homepage, License: "MIT",
		MTime: r.time, DisableGlobbing: true,
		Overridables: nfpm.Overridables{
			Contents: contents, Umask: 0o002,
			Scripts: nfpm.Scripts{
				PostInstall: filepath.Join(scripts, "installed.sh"),
				PreRemove:   filepath.Join(scripts, "removing.sh"),
				PostRemove:  filepath.Join(scripts, "removed.sh"),
			},
			RPM: nfpm.RPM{BuildHost: "localhost", Summary: summary, Compression: "zstd"},
			Deb: nfpm.Deb{Compression: "zstd"},
			APK: nfpm.APK{Scripts: nfpm.APKScripts{PostUpgrade: filepath.Join(scripts, "installed.sh")}},
		},
	}
	switch k.name {
	case "deb":
		info.Depends = []string{"passwd"}
		info.Recommends = []string{"ca-certificates"}
	case "rpm":
		info.Depends = []string{"/usr/sbin/useradd"}
	case "apk":
		info.Depends = []string{"ca-certificates", "logrotate"}
		info.Release = "0"
	}
	info = nfpm.WithDefaults(info)
	if k.name == "apk" { // rc.1 is no version there, rc1 is
		info.Prerelease = strings.ReplaceAll(info.Prerelease, ".", "")
	}
	if err := nfpm.Validate(info); err != nil {
		return nil, fmt.Errorf("the %s for %s: %w", k.name, arch, err)
	}
	return info, nil
}

// contents lists the files of a package: those of make install, with the binary of the
// architecture, and what a package has besides.
func (r *release) contents(k kind, arch string) (files.Contents, error) {
	var out files.Contents
	add := func(source, to, kind string, mode fs.FileMode) {
		out = append(out, &files.Content{
			Source: source, Destination: to, Type: kind,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.time},
		})
	}
	found := false
	err := filepath.WalkDir(r.tree, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(r.tree, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		to := k.path("/" + filepath.ToSlash(rel))
		switch {
		case to == "":
		case to == "/usr/bin/shoal":
			found = true
			add(r.binary(arch), to, files.TypeFile, 0o755)
		case strings.HasPrefix(to, "/etc/"):
			add(path, to, files.TypeConfigNoReplace, 0o644)
		default:
			add(path, to, files.TypeFile, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is installed: %w", err)
	}
	if !found {
		return nil, fmt.Errorf("%s has no usr/bin/shoal: run .ci/install with PREFIX=/usr and DESTDIR", r.tree)
	}
	const doc = "/usr/share/doc/shoal/"
	add(filepath.Join(r.root, "LICENSE"), doc+"copyright", files.TypeFile, 0o644)
	for _, name := range []string{"README.md", "CHANGELOG.md"} {
		add(filepath.Join(r.root, name), doc+name, files.TypeFile, 0o644)
	}
	if k.name == "apk" {
		add(filepath.Join(r.root, "docs/openrc/shoal"), "/etc/init.d/shoal", files.TypeFile, 0o755)
		add(filepath.Join(r.root, "docs/openrc/logrotate"), "/etc/logrotate.d/shoal", files.TypeConfigNoReplace, 0o644)
	}
	return out, nil
}
