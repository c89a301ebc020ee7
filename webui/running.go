package webui

import "context"

// running are the requests under way, by the ID of their sign-in. Without it, an event
// stream or a download would outlive its sign-in.
type running map[string]map[*context.CancelFunc]struct{}

// end ends the requests of a sign-in.
func (r running) end(id string) {
	for cancel := range r[id] {
		(*cancel)()
	}
	delete(r, id)
}

// Enter is Check for a request. The context that it returns ends when the sign-in does.
// If err is nil, the caller calls leave when the request is over.
func (a *Auth) Enter(ctx context.Context, secret string) (_ context.Context, leave func(), who SignIn, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if who, err = a.check(secret); err != nil {
		return nil, nil, who, err
	}
	ctx, cancel := context.WithCancel(ctx)
	if a.running[who.ID] == nil {
		a.running[who.ID] = map[*context.CancelFunc]struct{}{}
	}
	a.running[who.ID][&cancel] = struct{}{}
	return ctx, func() {
		cancel()
		a.mu.Lock()
		defer a.mu.Unlock()
		if of := a.running[who.ID]; of != nil {
			if delete(of, &cancel); len(of) == 0 {
				delete(a.running, who.ID)
			}
		}
	}, who, nil
}
