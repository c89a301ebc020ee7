package engine

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/metainfo"
)

// names by which a torrent calls its files, as paths below a web seed (BEP 19), to the index
// of each: NAME of a single file, else NAME/PATH.
type sourceNames map[string]int

var errNoSource = share.Errorf(share.Usage, "the torrent has no such file: %w", fs.ErrNotExist)

var sourceLimits = bencode.Limits{Depth: 32, Items: 4 << 20}

// readSourceNames reads the names from an info dictionary, as they are: those of
// metainfo.File are made safe for a disk.
func readSourceNames(info *metainfo.Info) (sourceNames, error) {
	v, _, err := bencode.Parse(info.Bytes(), sourceLimits)
	if err != nil {
		return nil, fmt.Errorf("reading the names of files: %w", err)
	}
	name := string(v.Get("name").Str)
	all := make(sourceNames, len(info.Files))
	files := v.Get("files").List
	switch {
	case !info.Multi:
		all[name] = 0
	case len(files) == len(info.Files):
		for i, f := range files {
			var path strings.Builder
			path.WriteString(name)
			for _, e := range f.Get("path").List {
				path.WriteString("/" + string(e.Str))
			}
			all.add(path.String(), i)
		}
	default: // BEP 52 only: its pads have no names
		for i, f := range info.Files {
			if !f.Pad {
				all.add(name+"/"+strings.Join(f.Path, "/"), i)
			}
		}
	}
	return all, nil
}

// add adds a name; of equal ones the first counts.
func (n sourceNames) add(name string, i int) {
	if _, ok := n[name]; !ok {
		n[name] = i
	}
}

// padding is what a pad file consists of.
type padding struct{}

func (padding) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

type pad struct{ *io.SectionReader }

func (pad) Close() error { return nil }

// OpenSource opens a file as a web seed serves it (BEP 19): by its name in the torrent,
// pads as zeros, and the blob of a sealed share. Otherwise it is like Open. The error for
// a name that is not in the torrent wraps fs.ErrNotExist. name is not escaped.
func (e *Engine) OpenSource(ctx context.Context, id share.ID, name string) (content io.ReadSeekCloser, size int64, err error) {
	s, err := e.openStream(ctx, id, false, func(t *transfer, o *openedPhase, s *stream) error {
		info := t.info
		if info.Sealed != nil {
			info = info.Sealed.Blob
		}
		if o.names == nil {
			var err error
			if o.names, err = readSourceNames(info); err != nil {
				return share.Errorf(share.Failed, "%w", err)
			}
		}
		i, ok := o.names[name]
		if !ok || info.Files[i].Symlink {
			return errNoSource
		}
		s.info, s.file, s.files, s.plan = info, &info.Files[i], storageOf(o.files), o.plan
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if s.file.Pad {
		defer s.Close()
		return pad{io.NewSectionReader(padding{}, 0, s.file.Length)}, s.file.Length, nil
	}
	return s, s.file.Length, nil
}
