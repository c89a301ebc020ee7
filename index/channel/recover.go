package channel

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Recovered is the result for one channel.
type Recovered struct {
	ID   index.ChannelID // its ID on this node
	Name string
	Own  bool
	Err  error // says why it could not be recovered, or has no key
}

// Recover fills the tables of a new database with the channels whose keys are below
// dir, see Config.Dir, and with those that can be read from a damaged database, nil
// for none. From a damaged database it uses only what the signature of a channel's
// newest item proves, and it mirrors nothing. The entries of an own channel are
// requested from its followers, as after Import.
func Recover(ctx context.Context, db, old *sql.DB, dir string, now time.Time) ([]Recovered, error) {
	s, err := openState(ctx, db)
	if err != nil {
		return nil, err
	}
	var all []Recovered
	rows := map[index.ChannelID]*row{}
	if old != nil {
		found, lost := salvage(ctx, old)
		for _, r := range found {
			rows[r.id()] = r
		}
		all = lost
	}
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, share.Errorf(share.Disk, "reading the keys of channels: %w", err)
	}
	for _, e := range names {
		stem, ok := strings.CutSuffix(e.Name(), ".key")
		id, err := index.ParseChannelID(stem)
		if !ok || err != nil {
			continue
		}
		k, err := ReadKey(dir, id)
		if err == nil && k.Link().Local() != id {
			err = share.Errorf(share.Refused, "%s is the key of another channel", filepath.Join(dir, e.Name()))
		}
		r := rows[id]
		switch {
		case err != nil && r == nil:
			all = append(all, Recovered{ID: id, Own: true, Err: err})
			continue
		case err != nil:
			r.own = true // its key may be imported again
		case r == nil:
			r = &row{link: k.Link(), item: index.Item{Key: k.Public(), Salt: k.Salt, Seq: -1}}
			rows[id] = r
			fallthrough
		default:
			r.link.Name, r.own, r.restoring, r.mirror = k.Name, true, true, 0
			r.link.Secret, r.sealed = k.Sealed, !k.Sealed.IsZero()
		}
	}
	for id, r := range rows {
		r.added = now.UTC()
		if err := s.put(ctx, r); err != nil {
			return all, err
		}
		what := Recovered{ID: id, Name: r.link.Name, Own: r.own}
		if r.own {
			_, what.Err = ReadKey(dir, id)
		}
		all = append(all, what)
	}
	return all, nil
}

// salvage reads which channels a damaged database has.
func salvage(ctx context.Context, db *sql.DB) (all []*row, lost []Recovered) {
	q, err := db.QueryContext(ctx, `SELECT key, salt, name, own, seq, value, sig, `+sealedColumn(ctx, db)+` FROM channel_list`)
	if err != nil {
		return nil, nil
	}
	defer q.Close()
	for q.Next() {
		var r row
		var key, sig, sealed []byte
		if q.Scan(&key, &r.link.Salt, &r.link.Name, &r.own, &r.item.Seq, &r.item.Value, &sig, &sealed) != nil ||
			len(key) != len(r.link.ID) || len(r.link.Salt) > index.MaxSalt {
			continue
		}
		copy(r.link.ID[:], key)
		r.setSealed(sealed) // a wrong secret opens no list, and says so
		if len(r.link.Salt) == 0 {
			r.link.Salt = nil
		}
		r.link.Name = cleanLine(r.link.Name, maxName)
		r.item.Key, r.item.Salt = r.link.ID, r.link.Salt
		copy(r.item.Sig[:], sig)
		if _, err := check(r.link, r.item); err != nil {
			if r.item.Seq >= 0 && !r.own {
				lost = append(lost, Recovered{ID: r.id(), Name: r.link.Name,
					Err: share.Errorf(share.Disk, "its saved state is damaged: follow the channel again by its link")})
				continue
			}
			r.item.Seq, r.item.Value, r.item.Sig = -1, nil, [64]byte{}
		}
		all = append(all, &r)
	}
	return all, lost
}
