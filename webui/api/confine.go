package api

import (
	"context"
	"path/filepath"

	"github.com/shoalnet/shoal/share"
)

type confined struct{}

// Confine marks requests of clients that may add content but not choose a folder of the
// host: they download into the node's default folder and share only what they uploaded.
// Otherwise they could write where programs are started from, and share any file.
func Confine(ctx context.Context) context.Context {
	return context.WithValue(ctx, confined{}, true)
}

// within refuses a path outside of folder to those who are confined to it. what names the
// folder.
func within(ctx context.Context, folder, path, what string) error {
	if ctx.Value(confined{}) == nil {
		return nil
	}
	if rel, err := filepath.Rel(folder, path); err == nil && folder != "" && filepath.IsLocal(rel) {
		return nil
	}
	return share.Errorf(share.Refused, "this token may use only %s (%s); a token with the scope everything may name any folder", what, folder)
}
