package api

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

type archiveOf struct {
	ID     string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
	Format string `query:"format" enum:"zip,tar" default:"zip"`
	Path   string `query:"path" maxLength:"4096" doc:"only the files in this folder of the transfer"`
}

// archive streams the selected files, one after the other as they arrive. It keeps
// nothing and compresses nothing: most of what people share is compressed already.
func (c *contents) archive(ctx context.Context, in *archiveOf) (*huma.StreamResponse, error) {
	id, err := c.resolve(in.ID)
	if err != nil {
		return nil, err
	}
	t, err := c.transfers.Get(id)
	if err != nil {
		return nil, err
	}
	all, err := c.content.Files(id)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, share.Errorf(share.Failed, "the file list of %s is unknown yet: %w", id.Short(), errNoFile)
	}
	below := strings.Trim(in.Path, "/")
	var files []share.File
	for _, f := range all {
		if f.Priority != share.Skip && (below == "" || strings.HasPrefix(f.Path, below+"/")) {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, share.Errorf(share.Failed, "the archive would be empty: no file is selected, or %.100q is not a folder of the transfer: %w", in.Path, errNoFile)
	}
	if err := c.reads.take(); err != nil {
		return nil, err
	}
	name := t.Name
	if below != "" {
		name = path.Base(below)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer c.reads.put()
		_, w := humago.Unwrap(hc)
		ContentHeader(w.Header(), name+"."+in.Format)
		out := &patient{w, http.NewResponseController(w)}
		pack := zipFiles
		if in.Format == "tar" {
			pack = tarFiles
		}
		err := pack(out, t, files, func(f share.File) (io.ReadCloser, error) { return c.content.Open(ctx, id, f.Index) })
		if err != nil {
			c.log.Debug("an archive was cut off", "id", id, "error", err)
			// The client must not take the archive for complete.
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

type opener func(share.File) (io.ReadCloser, error)

// EntryName is the path of a file in an archive: below a folder with the name of
// the transfer, unless the transfer is one file. It replaces backslashes, which are
// ordinary characters on Linux but separators on Windows.
func EntryName(t share.Transfer, f share.File) string {
	name := t.Name + "/" + f.Path
	if t.Files == 1 && f.Path == t.Name {
		name = f.Path
	}
	return strings.ReplaceAll(name, `\`, "_")
}

func entryTime(t share.Transfer) time.Time {
	if !t.Completed.IsZero() {
		return t.Completed
	}
	return t.Added
}

func zipFiles(w io.Writer, t share.Transfer, files []share.File, open opener) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		e, err := z.CreateHeader(&zip.FileHeader{Name: EntryName(t, f), Method: zip.Store, Modified: entryTime(t)})
		if err != nil {
			return err
		}
		if err := copyFile(e, f, open); err != nil {
			return err
		}
	}
	return z.Close()
}

func tarFiles(w io.Writer, t share.Transfer, files []share.File, open opener) error {
	z := tar.NewWriter(w)
	for _, f := range files {
		err := z.WriteHeader(&tar.Header{Name: EntryName(t, f), Mode: 0o644, Size: f.Total, ModTime: entryTime(t).Truncate(time.Second)})
		if err != nil {
			return err
		}
		if err := copyFile(z, f, open); err != nil {
			return err
		}
	}
	return z.Close()
}

func copyFile(w io.Writer, f share.File, open opener) error {
	if f.Total == 0 {
		return nil
	}
	r, err := open(f)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(r, f.Total))
	if err == nil && n < f.Total {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, r.Close())
}
