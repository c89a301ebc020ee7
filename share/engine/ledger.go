package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/storage"
)

// ledger implements storage.Ledger in state.db. The database has to be opened with
// synchronous=FULL.
type ledger struct {
	db    *sql.DB
	notes *notebook
}

func (l *ledger) Load(ctx context.Context, id share.ID) (*storage.Record, error) {
	r := &storage.Record{ID: id}
	err := l.db.QueryRowContext(ctx, `SELECT layout, progress FROM engine_ledger WHERE id = ?`, id[:]).Scan(&r.Layout, &r.Progress)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("loading the ledger record of %s: %w", id.Short(), err)
	}
	return r, nil
}

func (l *ledger) Save(ctx context.Context, records []storage.Record) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("saving ledger records: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	for _, r := range records {
		err := insertRecord(ctx, tx, &r)
		if err != nil {
			return fmt.Errorf("saving the ledger record of %s: %w", r.ID.Short(), err)
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, r := range records {
		l.notes.recorded(r)
	}
	return nil
}

func (l *ledger) Delete(ctx context.Context, id share.ID) error {
	if _, err := l.db.ExecContext(ctx, `DELETE FROM engine_ledger WHERE id = ?`, id[:]); err != nil {
		return fmt.Errorf("deleting the ledger record of %s: %w", id.Short(), err)
	}
	return nil
}

func insertRecord(ctx context.Context, tx *sql.Tx, r *storage.Record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO engine_ledger (id, layout, progress) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET layout = coalesce(excluded.layout, layout), progress = coalesce(excluded.progress, progress)`,
		r.ID[:], r.Layout, r.Progress)
	return err
}
