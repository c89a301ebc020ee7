package node

import (
	"context"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Access = (*access)(nil)

// access is who may sign in to the page.
type access struct {
	state string // the state directory
	now   func() time.Time

	// Set before the node serves.
	page   *page // nil where the page is not served
	broken error // why the credentials cannot be used; nil where they can
}

const credentialsName = "credentials"

func (a *access) SignIn() (string, error) {
	if a.broken != nil {
		return "", share.Errorf(share.Disk, "%w", a.broken)
	}
	if a.page == nil {
		return "", share.Errorf(share.Failed, "the page is not served: start the daemon with --web, such as --web [::1]:8080")
	}
	return a.page.server.SignInURL(), nil
}

// SetPassword also works where the page is not served: it is served at other
// addresses than loopback only when there is a password.
func (a *access) SetPassword(ctx context.Context, password string) error {
	if a.page != nil {
		return passwordError(a.page.auth.SetPassword(password, webui.Who(ctx).ID))
	}
	return SetPassword(a.state, password)
}

func (a *access) HasPassword() (bool, error) {
	if a.page != nil {
		return a.page.auth.HasPassword(), nil
	}
	auth, err := webui.OpenAuth(filepath.Join(a.state, credentialsName), a.now)
	if err != nil {
		return false, share.Errorf(share.Failed, "looking for a password: %w", err)
	}
	return auth.HasPassword(), nil
}

// SetPassword sets the password of the page on a state directory that no node runs
// on. A running node is told through its client.
func SetPassword(state, password string) error {
	if _, err := makeStateDir(state); err != nil {
		return err
	}
	auth, err := webui.OpenAuth(filepath.Join(state, credentialsName), time.Now)
	if err != nil {
		return share.Errorf(share.Failed, "setting the password: %w", err)
	}
	return passwordError(auth.SetPassword(password, ""))
}

func passwordError(err error) error {
	if err == nil {
		return nil
	}
	return share.Errorf(share.Usage, "setting the password: %w", err)
}
