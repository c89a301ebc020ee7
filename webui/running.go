package webui

import "context"

// running are the requests under way, by the ID of the sign-in that each came
// with: an event stream or a download would outlive its sign-in otherwise.
type running map[string]map[*context.CancelFunc]struct{}

// end ends those of a sign-in that is no more.
func (r running) end(id string) {
	for cancel := range r[id] {
		(*cancel)()
	}
	delete(r, id)
}

// Enter is Check for a request: the context that it returns ends when the
// sign-in does. Where err is nil, leave is called when the request is over.
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
