package catalog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"modernc.org/sqlite"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Has returns the IDs of a channel's entries.
func (c *Catalog) Has(ctx context.Context, channel index.ChannelID) (map[share.ID]struct{}, error) {
	rows, err := c.reads.QueryContext(ctx, "SELECT id FROM entries WHERE channel = (SELECT num FROM channels WHERE key = ?)", channel[:])
	if err != nil {
		return nil, fmt.Errorf("listing channel %s: %w", channel.Short(), err)
	}
	defer rows.Close()
	all := make(map[share.ID]struct{})
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("listing channel %s: %w", channel.Short(), err)
		}
		var id share.ID
		copy(id[:], raw)
		all[id] = struct{}{}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing channel %s: %w", channel.Short(), err)
	}
	return all, nil
}

// Count returns the number of a channel's entries.
func (c *Catalog) Count(ctx context.Context, channel index.ChannelID) (n int, err error) {
	err = c.reads.QueryRowContext(ctx, "SELECT count(*) FROM entries WHERE channel = (SELECT num FROM channels WHERE key = ?)", channel[:]).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting channel %s: %w", channel.Short(), err)
	}
	return n, nil
}

// List returns entries of a channel without their files, the latest first.
func (c *Catalog) List(ctx context.Context, channel index.ChannelID, offset, limit int) ([]index.Entry, error) {
	rows, err := c.reads.QueryContext(ctx, selectEntry+" WHERE channels.key = ? ORDER BY e.num DESC LIMIT ? OFFSET ?", channel[:], limit, offset)
	if err != nil {
		return nil, fmt.Errorf("listing channel %s: %w", channel.Short(), err)
	}
	found, err := scan(rows)
	if err != nil {
		return nil, fmt.Errorf("listing channel %s: %w", channel.Short(), err)
	}
	all := make([]index.Entry, 0, len(found))
	for _, f := range found {
		all = append(all, f.entry)
	}
	return all, nil
}

// Begins returns the entries whose ID begins with these hex digits, at most
// limit of each channel, with files and description; this node's own first.
func (c *Catalog) Begins(ctx context.Context, digits string, limit int) ([]index.Entry, error) {
	from, to, err := span(digits)
	if err != nil {
		return nil, err
	}
	var found []match
	err = func() error {
		keys, err := c.Counts(ctx)
		if err != nil {
			return err
		}
		for key := range keys {
			rows, err := c.reads.QueryContext(ctx,
				selectEntry+" WHERE channels.key = ? AND e.id BETWEEN ? AND ? LIMIT ?", key[:], from[:], to[:], limit)
			if err != nil {
				return err
			}
			some, err := scan(rows)
			if err != nil {
				return err
			}
			if key.IsZero() {
				found = append(some, found...)
			} else {
				found = append(found, some...)
			}
		}
		return nil
	}()
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	return c.whole(ctx, found)
}

// whole adds files and description to an entry.
func (c *Catalog) whole(ctx context.Context, found []match) ([]index.Entry, error) {
	all := make([]index.Entry, 0, len(found))
	for _, f := range found {
		var err error
		if f.entry.About, f.entry.Files, err = c.details(ctx, f.num); err != nil {
			return nil, fmt.Errorf("reading the catalogue: %w", err)
		}
		all = append(all, f.entry)
	}
	return all, nil
}

// span is the first and the last ID that begins with digits.
func span(digits string) (from, to share.ID, err error) {
	digits = strings.ToLower(digits)
	if n := len(digits); n == 0 || n > 2*len(from) || strings.Trim(digits, "0123456789abcdef") != "" {
		return from, to, share.Errorf(share.Usage, "%.60q is not an ID or the beginning of one", digits)
	}
	pad := 2*len(from) - len(digits)
	if _, err := hex.Decode(from[:], []byte(digits+strings.Repeat("0", pad))); err != nil {
		return from, to, share.Errorf(share.Usage, "reading an ID: %w", err)
	}
	if _, err := hex.Decode(to[:], []byte(digits+strings.Repeat("f", pad))); err != nil {
		return from, to, share.Errorf(share.Usage, "reading an ID: %w", err)
	}
	return from, to, nil
}

// SQLite's codes for a damaged file and for a file that is not a database.
const (
	sqliteCorrupt = 11
	sqliteNotADB  = 26
)

// Damaged reports whether an error is due to a damaged file. If so, close the
// catalogue, Remove it and open it again.
func Damaged(err error) bool {
	if errors.Is(err, errUnpack) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqliteCorrupt || e.Code()&0xff == sqliteNotADB)
}

// errUnpack is wrapped by the error for a file list that cannot be decompressed.
var errUnpack = errors.New("the compressed data is damaged")

// Remove deletes the file of a closed catalogue.
func Remove(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("removing the damaged catalogue: %w", err)
		}
	}
	return nil
}
