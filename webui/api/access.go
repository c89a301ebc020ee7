package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Access is the port that controls who may sign in to the web page.
type Access interface {
	// SignIn returns a URL that signs in one browser once and expires soon.
	SignIn() (string, error)
	// SetPassword allows sign-ins from other machines. It ends the sign-ins of all
	// browsers but the one that asks.
	SetPassword(ctx context.Context, password string) error
	HasPassword() (bool, error)
}

// SignIn is a link that signs in one browser.
type SignIn struct {
	URL string `json:"url" doc:"sign-in link; works once and expires after two minutes"`
}

// Password is the password for signing in from other machines.
type Password struct {
	Password string `json:"password" maxLength:"1000"`
}

// PasswordState says whether a password for signing in is set.
type PasswordState struct {
	Set bool `json:"set"`
}

func registerAccess(h huma.API, a Access) {
	op(h, "POST /sign-in", "Create a link that signs in one browser", func(context.Context, *none) (*answer[SignIn], error) {
		url, err := a.SignIn()
		return &answer[SignIn]{SignIn{url}}, err
	})
	op(h, "PUT /password", "Set the password of the page; this signs out all other browsers", func(ctx context.Context, in *body[Password]) (*none, error) {
		return nil, a.SetPassword(ctx, in.Body.Password)
	})
	op(h, "GET /password", "Report whether the page has a password", func(context.Context, *none) (*answer[PasswordState], error) {
		set, err := a.HasPassword()
		return &answer[PasswordState]{PasswordState{set}}, err
	})
}

// SignIn returns a URL that signs in one browser once and expires soon.
func (c *Client) SignIn(ctx context.Context) (string, error) {
	var s SignIn
	err := c.do(ctx, http.MethodPost, Base+"/sign-in", nil, &s)
	return s.URL, err
}

// SetPassword sets the password of the page.
func (c *Client) SetPassword(ctx context.Context, password string) error {
	return c.do(ctx, http.MethodPut, Base+"/password", Password{password}, nil)
}
