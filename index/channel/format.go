package channel

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// The limits of a catalogue. A writer stays within them. A reader refuses a
// catalogue that exceeds one of the first group, and shortens or drops values that
// exceed one of the second.
const (
	MaxBytes   = 64 << 20  // of the file
	MaxEntries = 200_000   // in it
	maxPlain   = 512 << 20 // bytes, unpacked
	maxLine    = 256 << 10 // bytes of one line
	maxRatio   = 100       // unpacked to packed, beyond the first MiB
	maxWindow  = 8 << 20   // zstd window, the memory that decompression needs

	maxName  = 255  // bytes of a name, or of one element of a path
	maxAbout = 2000 // bytes
	maxPath  = 1000 // bytes of a path
	maxFiles = 1000 // of one entry
	maxTags  = 16
	maxTag   = 64 // bytes
	maxPeers = 8  // in a link
	maxURLs  = 8  // trackers, and web seeds, in a link
	maxSize  = 1 << 60
)

// Head is the header of a catalogue, which describes its channel.
type Head struct {
	// Link is the channel; Name is set by its publisher. With a Secret, the catalogue is
	// written sealed. A Reader leaves the Secret empty.
	Link   index.ChannelLink
	About  string
	Sealed bool // set by a Reader: the channel is sealed
}

// The lines of a catalogue. The first is a header, all others are entries.
type (
	header struct {
		Format  string `json:"format"` // formatName
		Version int    `json:"version"`
		Key     string `json:"key"`
		Salt    string `json:"salt,omitempty"`
		Name    string `json:"name"`
		About   string `json:"about,omitempty"`
	}
	line struct {
		ID    string     `json:"id"`
		Name  string     `json:"name"`
		Bytes int64      `json:"bytes,omitempty"`
		Time  string     `json:"time,omitempty"` // RFC 3339, UTC, seconds
		Link  string     `json:"link,omitempty"` // omitted if it only has ID, name and size
		About string     `json:"about,omitempty"`
		Tags  []string   `json:"tags,omitempty"`
		Files []fileLine `json:"files,omitempty"`
	}
	fileLine struct {
		Path string `json:"path"`
		Size int64  `json:"size"`
	}
)

const (
	formatName    = "shoal-channel"
	formatVersion = 1
)

// Write writes a catalogue: JSON Lines compressed with zstd, entries sorted by ID. For a
// sealed channel this list is sealed, and the list in clear after it has only the IDs,
// sizes and addresses of the entries that are sealed shares. The same head and entries
// produce the same bytes, so that the same catalogue has the same ID for every publisher.
// Write cleans values that a reader would clean, and returns an error for those that a
// reader would refuse.
func Write(w io.Writer, head Head, entries []index.Entry) error {
	if head.Link.Secret.IsZero() {
		return writeList(w, head, entries, plainList)
	}
	var packed bytes.Buffer
	if err := writeList(&packed, head, entries, sealedList); err != nil {
		return err
	}
	s, err := newSealer(head.Link)
	if err != nil {
		return err
	}
	frame, err := s.seal(packed.Bytes())
	if err != nil {
		return err
	}
	all := &counter{w: w}
	if _, err := all.Write(frame); err != nil {
		return fmt.Errorf("writing a catalogue: %w", err)
	}
	if err := writeList(all, Head{Link: head.Link.Blind()}, inClear(entries), clearList); err != nil {
		return err
	}
	if all.n > MaxBytes {
		return tooLarge(int(all.n))
	}
	return nil
}

// listKind is what kind of list the lines of a catalogue are.
type listKind int

const (
	plainList  listKind = iota // of a channel that is not sealed
	sealedList                 // for those who have the secret
	clearList                  // for everybody else
)

// writeList writes one list.
func writeList(w io.Writer, head Head, entries []index.Entry, kind listKind) error {
	if len(entries) > MaxEntries {
		return share.Errorf(share.Failed, "a channel has at most %d entries, but this one has %d", MaxEntries, len(entries))
	}
	packed := &counter{w: w}
	z, err := zstd.NewWriter(packed, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(true))
	if err != nil {
		return fmt.Errorf("writing a catalogue: %w", err)
	}
	defer z.Close()
	plain := &counter{w: z}
	put := func(v any) error {
		b, err := encode(v)
		if err == nil {
			_, err = plain.Write(b)
		}
		return err
	}
	if err := put(headerOf(head)); err != nil {
		return fmt.Errorf("writing a catalogue: %w", err)
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b index.Entry) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := range entries {
		e, ok := clean(entries[i], kind)
		if !ok || i > 0 && e.ID == entries[i-1].ID {
			continue
		}
		if err := put(lineOf(&e)); err != nil {
			return fmt.Errorf("writing %q into a catalogue: %w", e.Name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("writing a catalogue: %w", err)
	}
	if packed.n > MaxBytes || plain.n > allowed(packed.n) {
		return share.Errorf(share.Failed, "the catalogue is too large: %d bytes, %d unpacked", packed.n, plain.n)
	}
	return nil
}

// allowed is the most bytes that a file of this size may decompress to.
func allowed(packed int64) int64 { return min(maxPlain, 1<<20+maxRatio*packed) }

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// encode writes one line of JSON without HTML escapes. It drops files from the end
// of an entry whose line would be too long.
func encode(v any) ([]byte, error) {
	for {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return nil, err
		}
		if b.Len() <= maxLine {
			return b.Bytes(), nil
		}
		l, ok := v.(line)
		if !ok || len(l.Files) == 0 {
			return nil, share.Errorf(share.Failed, "a line has at most %d bytes, but this one has %d", maxLine, b.Len())
		}
		l.Files = l.Files[:len(l.Files)/2]
		v = l
	}
}

func headerOf(h Head) header {
	return header{
		Format: formatName, Version: formatVersion, Key: h.Link.ID.String(), Salt: hex.EncodeToString(h.Link.Salt),
		Name: cleanLine(h.Link.Name, maxName), About: cleanText(h.About, maxAbout),
	}
}

func lineOf(e *index.Entry) line {
	l := line{ID: e.ID.String(), Name: e.Name, Bytes: e.Bytes, About: e.About, Tags: e.Tags}
	if !e.Time.IsZero() {
		l.Time = e.Time.UTC().Format(time.RFC3339)
	}
	if e.Link != plainLink(e) {
		l.Link = e.Link
	}
	for _, f := range e.Files {
		l.Files = append(l.Files, fileLine(f))
	}
	return l
}

// plainLink is a link with only the ID, name and size of an entry.
func plainLink(e *index.Entry) string {
	return share.Link{ID: e.ID, Name: e.Name, Length: e.Bytes}.String()
}

// Reader reads an untrusted catalogue: its memory is bounded, and the entries it
// returns are clean.
type Reader struct {
	Head Head

	kind    listKind
	z       *zstd.Decoder
	lines   *bufio.Reader
	left    int64 // bytes that may still be decompressed
	count   int
	skipped int // invalid entries
}

// NewReader reads the header of a catalogue of size bytes; for a sealed channel, that
// of the list in clear, whose entries have no names. Errors are share.Refused, or those
// of r. The reader must be closed.
func NewReader(r io.Reader, size int64) (*Reader, error) {
	from, err := fileReader(r, size)
	if err != nil {
		return nil, err
	}
	frame, err := takeSealed(from, size, false)
	if err != nil {
		return nil, err
	}
	if frame == nil {
		return newReader(from, size, plainList)
	}
	h, _ := readSealedHead(frame)
	return newReader(from, size-int64(h.size), clearList)
}

// NewSealedReader is NewReader with the secret: it reads the sealed list of the channel
// that l names. A catalogue without one is refused.
func NewSealedReader(r io.Reader, size int64, l index.ChannelLink) (*Reader, error) {
	from, err := fileReader(r, size)
	if err != nil {
		return nil, err
	}
	frame, err := takeSealed(from, size, true)
	if err != nil {
		return nil, err
	}
	if frame == nil {
		return nil, share.Errorf(share.Refused, "the channel has published a list that is not sealed, which its link does not allow")
	}
	s, err := newSealer(l)
	if err != nil {
		return nil, err
	}
	packed, err := s.open(frame)
	if err != nil {
		return nil, err
	}
	return newReader(bytes.NewReader(packed), int64(len(packed)), sealedList)
}

func fileReader(r io.Reader, size int64) (*bufio.Reader, error) {
	if size <= 0 || size > MaxBytes {
		return nil, share.Errorf(share.Refused, "a catalogue has from 1 to %d bytes, but this one has %d", MaxBytes, size)
	}
	return bufio.NewReader(io.LimitReader(r, size)), nil
}

// newReader reads the header of one list.
func newReader(r io.Reader, size int64, kind listKind) (*Reader, error) {
	z, err := zstd.NewReader(io.LimitReader(r, size), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxPlain))
	if err != nil {
		return nil, share.Errorf(share.Refused, "reading a catalogue: %w", err)
	}
	c := &Reader{z: z, left: allowed(size), kind: kind}
	c.lines = bufio.NewReaderSize(z, maxLine)
	if err := c.readHead(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close frees the reader's resources.
func (c *Reader) Close() { c.z.Close() }

// next returns the next line without its end; io.EOF after the last.
func (c *Reader) next() ([]byte, error) {
	for {
		b, err := c.lines.ReadSlice('\n')
		c.left -= int64(len(b))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, share.Errorf(share.Refused, "a line of the catalogue has more than %d bytes", maxLine)
		case c.left < 0:
			return nil, share.Errorf(share.Refused, "the catalogue unpacks to more than its size allows")
		case err != nil && err != io.EOF:
			return nil, share.Errorf(share.Refused, "unpacking the catalogue: %w", err)
		}
		if b = bytes.TrimSpace(b); len(b) > 0 {
			return b, nil
		}
		if err == io.EOF {
			return nil, io.EOF
		}
	}
}

func (c *Reader) readHead() error {
	b, err := c.next()
	if err == io.EOF {
		return share.Errorf(share.Refused, "the catalogue is empty")
	}
	if err != nil {
		return err
	}
	var h header
	if err := json.Unmarshal(b, &h); err != nil || h.Format != formatName {
		return share.Errorf(share.Refused, "this is not the catalogue of a channel: its first line does not say %q", formatName)
	}
	if h.Version < 1 || h.Version > formatVersion {
		return share.Errorf(share.Refused, "the catalogue has version %d, but this version of shoal reads only up to %d: a newer version of shoal is needed", h.Version, formatVersion)
	}
	id, err := index.ParseChannelID(h.Key)
	if err != nil {
		return err
	}
	salt, err := hex.DecodeString(h.Salt)
	if err != nil || len(salt) > index.MaxSalt {
		return share.Errorf(share.Refused, "the catalogue has an invalid salt")
	}
	c.Head = Head{Link: index.ChannelLink{ID: id}, Sealed: c.kind != plainList}
	if c.kind != clearList { // which has no texts, whatever somebody wrote into it
		c.Head.Link.Name, c.Head.About = cleanLine(h.Name, maxName), cleanText(h.About, maxAbout)
	}
	if len(salt) > 0 {
		c.Head.Link.Salt = salt
	}
	return nil
}

// Entries yields every valid entry, with its Channel set to channel. It ends with a
// share.Refused error if the catalogue must be refused.
func (c *Reader) Entries(channel index.ChannelID) iter.Seq2[index.Entry, error] {
	return func(yield func(index.Entry, error) bool) {
		for {
			b, err := c.next()
			if err == io.EOF {
				return
			}
			if err == nil {
				if c.count++; c.count > MaxEntries {
					err = share.Errorf(share.Refused, "the catalogue has more than %d entries", MaxEntries)
				}
			}
			if err != nil {
				yield(index.Entry{}, err)
				return
			}
			e, ok := parseLine(b, c.kind)
			if !ok {
				c.skipped++
				continue
			}
			e.Channel = channel
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Skipped counts the invalid lines so far.
func (c *Reader) Skipped() int { return c.skipped }

func parseLine(b []byte, kind listKind) (index.Entry, bool) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return index.Entry{}, false
	}
	id, err := share.ParseID(l.ID)
	if err != nil {
		return index.Entry{}, false
	}
	e := index.Entry{ID: id, Name: l.Name, Link: l.Link, Bytes: l.Bytes, About: l.About, Tags: l.Tags}
	if t, err := time.Parse(time.RFC3339, l.Time); err == nil {
		e.Time = t
	}
	for _, f := range l.Files[:min(len(l.Files), maxFiles)] {
		e.Files = append(e.Files, index.File(f))
	}
	return clean(e, kind)
}
