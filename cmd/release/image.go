package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// image makes the container image of an architecture, as an archive that docker load and
// podman load read.
func (r *release) image(arch string) error {
	content, err := r.layer(arch)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.DockerLayer), tarball.WithCompressedCaching)
	if err != nil {
		return err
	}
	// The formats of Docker: the OCI's have no health check.
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.DockerManifestSchema2), types.DockerConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{
		Layer: layer, History: v1.History{Created: v1.Time{Time: r.time}, CreatedBy: "cmd/release"},
	})
	if err != nil {
		return err
	}
	image, err = mutate.ConfigFile(image, r.config(image, arch))
	if err != nil {
		return err
	}
	tag, err := name.NewTag("localhost/shoal:" + r.number())
	if err != nil {
		return err
	}
	file := fmt.Sprintf("shoal-%s-image-%s.tar", r.number(), arch)
	if err := tarball.WriteToFile(filepath.Join(r.dist, file), tag, image); err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("dist/%s %s\n", file, digest)
	return nil
}

// config says how the image runs.
func (r *release) config(image v1.Image, arch string) *v1.ConfigFile {
	now, err := image.ConfigFile()
	if err != nil { // it was made a moment ago
		now = &v1.ConfigFile{}
	}
	c := now.DeepCopy()
	c.OS, c.Architecture, c.Created = "linux", arch, v1.Time{Time: r.time}
	c.Config = v1.Config{
		Entrypoint: []string{"/usr/bin/shoal-container"},
		Cmd:        []string{"daemon"},
		Env: []string{
			"PATH=/usr/bin", "HOME=/config", "SHOAL_STATE=/config/state",
			// Defaults, so that the configuration can say otherwise: it is
			// /config/shoal/config.toml.
			"XDG_CONFIG_HOME=/config", "XDG_DOWNLOAD_DIR=/downloads",
		},
		WorkingDir: "/downloads",
		Volumes:    map[string]struct{}{"/config": {}, "/downloads": {}},
		StopSignal: "SIGTERM",
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/usr/bin/shoal", "health"},
			Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: 30 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "shoal",
			"org.opencontainers.image.description": summary,
			"org.opencontainers.image.version":     r.number(),
			"org.opencontainers.image.revision":    r.revision,
			"org.opencontainers.image.created":     r.time.Format(time.RFC3339),
			"org.opencontainers.image.source":      homepage,
			"org.opencontainers.image.licenses":    "MIT",
		},
	}
	return c
}

// layer is the file system of the image.
func (r *release) layer(arch string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := map[string]bool{".": true}
	var dir func(name string, mode int64) error
	dir = func(name string, mode int64) error {
		if made[name] {
			return nil
		}
		if err := dir(path.Dir(name), 0o755); err != nil {
			return err
		}
		made[name] = true
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, ModTime: r.time, Format: tar.FormatUSTAR})
	}
	file := func(name string, mode int64, content []byte) error {
		if err := dir(path.Dir(name), 0o755); err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: r.time, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	copied := func(from, to string, mode int64) error {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return file(to, mode, content)
	}
	for _, step := range []func() error{
		// As /tmp is: an empty volume gets the mode of the folder that it covers, so
		// that it can be written to by whichever user PUID or --user name.
		func() error { return dir("config", 0o1777) },
		func() error { return dir("downloads", 0o1777) },
		func() error { return dir("tmp", 0o1777) },
		func() error {
			return file("etc/passwd", 0o644, []byte("root:x:0:0:root:/config:/\nshoal:x:1000:1000:shoal:/config:/\n"))
		},
		func() error { return file("etc/group", 0o644, []byte("root:x:0:\nshoal:x:1000:\n")) },
		func() error { return file("etc/ssl/certs/ca-certificates.crt", 0o644, roots()) },
		func() error { return copied(r.binary(arch), "usr/bin/shoal", 0o755) },
		func() error {
			return copied(filepath.Join(r.entries, "container-"+arch), "usr/bin/shoal-container", 0o755)
		},
		func() error { return copied(filepath.Join(r.root, "LICENSE"), "usr/share/doc/shoal/copyright", 0o644) },
		func() error { return r.timeZones(file) },
		w.Close,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// timeZones unpacks the time zones for TZ.
func (r *release) timeZones(file func(name string, mode int64, content []byte) error) error {
	z, err := zip.OpenReader(r.zones)
	if err != nil {
		return fmt.Errorf("opening the time zones: %w", err)
	}
	defer z.Close()
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(in)
		in.Close()
		if err != nil {
			return fmt.Errorf("reading the time zone %s: %w", f.Name, err)
		}
		if err := file("usr/share/zoneinfo/"+f.Name, 0o644, content); err != nil {
			return err
		}
	}
	return nil
}

// roots are the certificates that browsers trust without a condition.
func roots() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}
