//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// weblink measures what a web link costs and how fast it is, beside the peer protocol.
func (b *bench) weblink() (t table, err error) {
	cert, err := b.makeCert()
	if err != nil {
		return t, err
	}
	theirs := &pair{name: "libtorrent to libtorrent", run: func(p *pair) error { return b.fromLibtorrent(p, b.libtorrentGet) }}
	seed := &pair{name: "shoal to libtorrent", run: func(p *pair) error { return b.fromShoal(p, b.libtorrentGet) }}
	plain := &pair{name: "a web link to curl", run: func(p *pair) error { return b.fromDoor(p, nil, "") }}
	null := &pair{name: "a web link to curl, kept nowhere", run: func(p *pair) error { return b.fromDoor(p, nil, os.DevNull) }}
	tls := &pair{name: "a web link over TLS to curl", run: func(p *pair) error { return b.fromDoor(p, cert, "") }}
	bare := &pair{name: "a bare file server to curl", run: func(p *pair) error { return b.fromFileServer(p, "") }}
	bareNull := &pair{name: "a bare file server to curl, kept nowhere", run: func(p *pair) error { return b.fromFileServer(p, os.DevNull) }}
	all := []*pair{theirs, seed, plain, bare, null, bareNull, tls}
	for range b.runs {
		for _, p := range all {
			if err := p.run(p); err != nil {
				return t, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	t = table{
		title: "Web links",
		how: fmt.Sprintf("%d MiB in one file over one connection, from the same kind of port for both: curl downloads it from the page of a web link, "+
			"libtorrent 2.0 by the peer protocol. curl writes to a file unless the row says otherwise, and hashes nothing; libtorrent hashes what it writes. "+
			"The bare file server is Go's, whose kernel sends the file by itself (sendfile). shoal reads each part and then sees whether the file is still what was hashed, so that nothing wrong is sent.", b.size>>20),
		head: []string{"", "MiB/s", "slowest to fastest", "downloader: CPU s/GiB", "RSS, MiB", "sender: CPU s/GiB", "RSS, MiB"},
	}
	for _, p := range all {
		t.row(p.row(b.size)...)
	}
	rate := func(p *pair) float64 { return 1 / median(p.seconds) }
	t.result = fmt.Sprintf("curl downloads from a web link **%.1f times** as fast as libtorrent from libtorrent (wanted: 2), and %.1f times as fast as libtorrent from shoal. "+
		"Over TLS it is %.1f times. To curl, a web link has **%.2f** of the rate of a bare file server, and %.2f where nothing is kept. A web link costs **%.2f** of the CPU that seeding the same to libtorrent costs.",
		rate(plain)/rate(theirs), rate(plain)/rate(seed), rate(tls)/rate(theirs), rate(plain)/rate(bare), rate(null)/rate(bareNull), median(plain.seedCPU)/median(seed.seedCPU))
	return t, nil
}

// keys is a certificate for the loopback.
type keys struct{ cert, key string }

func (b *bench) makeCert() (*keys, error) {
	k := &keys{filepath.Join(b.tmp, "cert.pem"), filepath.Join(b.tmp, "key.pem")}
	p, err := b.start("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-keyout", k.key, "-out", k.cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:::1")
	if err != nil {
		return nil, err
	}
	return k, p.wait()
}

// fromDoor downloads from a web link with curl, to a file if to is empty.
func (b *bench) fromDoor(p *pair, tls *keys, to string) error {
	args := []string{"--listen", seederAddress, "--web-link"}
	if tls != nil {
		args = append(args, "--web-link-cert", tls.cert, "--web-link-key", tls.key)
	}
	seeder, err := b.run(b.state(), "share", append(args, b.content)...)
	if err != nil {
		return err
	}
	var shared struct {
		WebLink struct{ URL string } `json:"web_link"`
	}
	if err := seeder.event("shared", &shared); err != nil {
		return err
	}
	return p.beside(seeder, func() error {
		return b.curl(p, shared.WebLink.URL+"/file/"+filepath.Base(b.content), to)
	})
}

// fromFileServer downloads from a server that only sends files, which is this process.
func (b *bench) fromFileServer(p *pair, to string) error {
	l, err := net.Listen("tcp", seederAddress)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.FileServer(http.Dir(filepath.Dir(b.content)))}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	defer func() { srv.Close(); <-done }()
	before, err := ownCPU()
	if err != nil {
		return err
	}
	if err := b.curl(p, "http://"+seederAddress+"/"+filepath.Base(b.content), to); err != nil {
		return err
	}
	after, err := ownCPU()
	p.seedCPU = append(p.seedCPU, after-before)
	return err
}

// curl downloads the content, to a file if to is empty.
func (b *bench) curl(p *pair, url, to string) error {
	dir, err := b.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if to == "" {
		to = filepath.Join(dir, "got")
	}
	got, err := b.start("curl", "-sSfk", "-o", to, "-w", `%{time_total} %{size_download}`, url)
	if err != nil {
		return err
	}
	said, err := io.ReadAll(got.lines)
	if err != nil {
		return err
	}
	if err := got.wait(); err != nil {
		return err
	}
	seconds, size, _ := strings.Cut(string(said), " ")
	took, err := strconv.ParseFloat(seconds, 64)
	if err != nil || size != strconv.FormatInt(b.size, 10) {
		return fmt.Errorf("curl got %s of %d bytes: %w", size, b.size, err)
	}
	cpu, rss := got.used()
	p.seconds = append(p.seconds, took)
	p.fetchCPU, p.fetchRSS = append(p.fetchCPU, cpu), append(p.fetchRSS, rss)
	return nil
}
