package node

import (
	"bytes"
	"compress/gzip"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// TestDownload downloads from a server that answers like indexers: with a redirect to a
// magnet link, a link as the body, gzip with and without the header, a sign-in page,
// nothing, and too much.
func TestDownload(t *testing.T) {
	torrent := []byte("d4:infod6:lengthi7e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee")
	magnet := "magnet:?xt=urn:btih:" + strings.Repeat("ab", 20) + "&dn=a%20b&tr=udp%3A%2F%2Ft.example%3A80"
	send := func(body []byte, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			_, _ = w.Write(body)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/t", send(torrent))
	mux.HandleFunc("/bom", send(append([]byte("\xef\xbb\xbf"), torrent...)))
	mux.HandleFunc("/gz", send(gzipped(torrent), "Content-Encoding", "gzip"))
	mux.HandleFunc("/gzfile", send(gzipped(torrent)))
	mux.HandleFunc("/bomb", send(gzipped(make([]byte, metainfo.MaxTorrent+1))))
	mux.HandleFunc("/broken", send(gzipped(torrent)[:20]))
	mux.HandleFunc("/body", send([]byte("\n<"+magnet+">\n"), "Content-Type", "text/plain"))
	mux.HandleFunc("/html", send([]byte("\n<!DOCTYPE html><title>sign in</title>"), "Content-Type", "text/html"))
	mux.HandleFunc("/empty", send(nil))
	mux.HandleFunc("/m", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", magnet)
		w.WriteHeader(http.StatusFound)
	})
	mux.Handle("/hop", http.RedirectHandler("/m", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.Handle("/ftp", http.RedirectHandler("ftp://host.example/a", http.StatusFound))
	mux.Handle("/bad", http.RedirectHandler("magnet:?xt=urn:btih:12", http.StatusFound))
	mux.HandleFunc("/403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("needs IPv6 on the loopback interface: ", err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	server.Start()
	defer server.Close()

	for _, path := range []string{"/t", "/bom", "/gz", "/gzfile"} {
		_, got, err := source(t.Context(), " "+server.URL+path+"\n", nil)
		if err != nil || !bytes.Equal(got, torrent) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"/m", "/hop", "/body"} {
		got, b, err := source(t.Context(), server.URL+path, nil)
		if err != nil || b != nil || got.String() != magnet {
			t.Errorf("%s: %s, %q, %v", path, got, b, err)
		}
	}
	for path, want := range map[string]string{
		"/html": "web page (HTML)", "/empty": "is empty", "/loop": "redirects more than", "/ftp": "a ftp: address",
		"/bad": "40 hex", "/bomb": "larger than", "/broken": "unpacking it failed",
	} {
		_, _, err := source(t.Context(), server.URL+path, nil)
		if share.KindOf(err) != share.Refused || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want Refused and %q", path, err, want)
		}
	}
	if _, _, err := source(t.Context(), server.URL+"/403", nil); err == nil || !strings.Contains(err.Error(), "sign in") {
		t.Errorf("403: %v", err)
	}
	// The same from files.
	if _, got, err := source(t.Context(), "", gzipped(torrent)); err != nil || !bytes.Equal(got, torrent) {
		t.Errorf("a file in gzip: %q, %v", got, err)
	}
	if got, _, err := source(t.Context(), "", []byte(magnet)); err != nil || got.String() != magnet {
		t.Errorf("a file with a link: %s, %v", got, err)
	}
}

func TestDownloadEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("needs IPv6 on the loopback interface: ", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel() // it has been asked, and never answers
		<-r.Context().Done()
	})}}
	server.Start()
	defer server.Close()
	if _, _, err := source(ctx, server.URL, nil); err == nil {
		t.Error("a download went on without its context")
	}
}
