package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

type asset struct {
	plain, packed []byte
	mediaType     string
	etag          string
}

// servePage keeps the built page in memory, compressed once. A path that names no file
// is a route of the page, and gets its index.
func servePage(page fs.FS) http.Handler {
	assets := make(map[string]asset)
	// All files of an embedded tree can be read.
	_ = fs.WalkDir(page, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		b, err := fs.ReadFile(page, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		a := asset{plain: b, mediaType: mediaType(name), etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
		var z bytes.Buffer
		w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
		w.Write(b)
		w.Close()
		if z.Len() < len(b) {
			a.packed = z.Bytes()
		}
		assets["/"+name] = a
		return nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			problem(w, http.StatusMethodNotAllowed, "the page is only read")
			return
		}
		a, ok := assets[r.URL.Path]
		if !ok {
			if path.Ext(r.URL.Path) != "" {
				problem(w, http.StatusNotFound, "there is no such file")
				return
			}
			a = assets["/index.html"]
		}
		h := w.Header()
		h.Set("Content-Type", a.mediaType)
		h.Set("Cache-Control", "no-cache") // names are stable: the browser asks and gets 304
		h.Set("ETag", a.etag)
		h.Set("Vary", "Accept-Encoding")
		body := a.plain
		if a.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
			h.Set("Content-Encoding", "gzip")
			h.Set("ETag", strings.TrimSuffix(a.etag, `"`)+`-gzip"`)
			body = a.packed
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// mediaType is that of a file of the page, by its name.
func mediaType(name string) string {
	ext := path.Ext(name)
	if ext == ".webmanifest" { // few systems know it
		return "application/manifest+json"
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}
