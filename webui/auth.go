package webui

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of the credentials, and how long each kind is valid.
const (
	oneTimeLife = 2 * time.Minute     // long enough to paste a link into a browser
	signInLife  = 30 * 24 * time.Hour // since it was last used
	touchEvery  = 10 * time.Minute    // how exact SignIn.Used is: not every request writes it
	maxSignIns  = 100                 // beyond it, the least recently used one is removed
	maxOneTime  = 16                  // links that were made and not yet used
	tokenPrefix = "shoal_"            // tells secret scanners what they found
	minPassword = 10                  // characters
)

// ErrDenied is the error for a credential that is wrong, used up or revoked. It does not
// say which.
var ErrDenied = errors.New("this sign-in is not valid: ask for a new one with 'shoal open'")

// SignIn is the sign-in of a browser or a program.
type SignIn struct {
	ID      string    `json:"id"`              // not a secret
	Kind    string    `json:"kind"`            // "browser" or "token"
	Label   string    `json:"label"`           // the user's name for it
	Scope   Scope     `json:"scope,omitempty"` // of a token; empty is everything
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`
}

// Auth decides who may use the node over TCP. It stores hashes of the secrets in one
// file that only its owner can read. It is safe for concurrent use.
type Auth struct {
	path string
	now  func() time.Time

	hashing Passwords

	mu      sync.Mutex
	stored  credentials
	oneTime map[[32]byte]time.Time // hash to expiry
	running running
}

type credentials struct {
	Password string         `json:"password,omitempty"` // PHC string
	SignIns  []storedSignIn `json:"signins"`
}

type storedSignIn struct {
	SignIn
	Hash string `json:"sha256"`
}

// OpenAuth reads the credentials at path. The file need not exist.
func OpenAuth(path string, now func() time.Time) (*Auth, error) {
	a := &Auth{path: path, now: now, hashing: NewPasswords(), oneTime: make(map[[32]byte]time.Time), running: running{}}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, nil
	case err != nil:
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	err = json.Unmarshal(b, &a.stored)
	if err == nil {
		err = a.stored.check()
	}
	if err != nil {
		return nil, fmt.Errorf("the credentials in %s are damaged; stop the node and rename the file to start without password and sign-ins: %w", path, err)
	}
	return a, nil
}

// check refuses what save cannot have written.
func (c *credentials) check() error {
	if c.Password != "" && len(strings.Split(c.Password, "$")) != 6 {
		return errors.New("the password is not a hash")
	}
	for _, s := range c.SignIns {
		if b, err := hex.DecodeString(s.Hash); err != nil || len(b) != sha256.Size {
			return fmt.Errorf("the sign-in %q has no hash", clip(s.Label, 40))
		}
	}
	return nil
}

// OneTime makes a token that signs in one browser, once, within two minutes.
func (a *Auth) OneTime() string {
	token := newToken()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for h, expiry := range a.oneTime {
		if expiry.Before(now) {
			delete(a.oneTime, h)
		}
	}
	for len(a.oneTime) >= maxOneTime {
		oldest := [32]byte{}
		var at time.Time
		for h, expiry := range a.oneTime {
			if at.IsZero() || expiry.Before(at) {
				oldest, at = h, expiry
			}
		}
		delete(a.oneTime, oldest)
	}
	a.oneTime[sha256.Sum256([]byte(token))] = now.Add(oneTimeLife)
	return token
}

// Redeem exchanges a one-time token for the sign-in of a browser.
func (a *Auth) Redeem(oneTime, label string) (secret string, s SignIn, err error) {
	h := sha256.Sum256([]byte(oneTime))
	a.mu.Lock()
	defer a.mu.Unlock()
	expiry, ok := a.oneTime[h]
	delete(a.oneTime, h)
	if !ok || expiry.Before(a.now()) {
		return "", SignIn{}, ErrDenied
	}
	return a.add("browser", label, "")
}

// CheckPassword exchanges the password for the sign-in of a browser.
func (a *Auth) CheckPassword(password, label string) (secret string, s SignIn, err error) {
	a.mu.Lock()
	want := a.stored.Password
	a.mu.Unlock()
	if want == "" {
		return "", SignIn{}, ErrDenied
	}
	if !a.hashing.Matches(want, password) {
		return "", SignIn{}, ErrDenied
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stored.Password != want {
		return "", SignIn{}, ErrDenied // changed meanwhile
	}
	return a.add("browser", label, "")
}

// NewToken makes a bearer token for a program.
func (a *Auth) NewToken(label string, scope Scope) (secret string, s SignIn, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.add("token", label, scope)
}

// Check returns the sign-in that secret belongs to, and records that it was used.
func (a *Auth) Check(secret string) (SignIn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.check(secret)
}

// check is Check; mu is held.
func (a *Auth) check(secret string) (SignIn, error) {
	sum := sha256.Sum256([]byte(secret))
	want := hex.EncodeToString(sum[:])
	now := a.now()
	for i := range a.stored.SignIns {
		s := &a.stored.SignIns[i]
		if subtle.ConstantTimeCompare([]byte(s.Hash), []byte(want)) != 1 {
			continue
		}
		if s.Kind == "browser" && now.Sub(s.Used) > signInLife {
			return SignIn{}, ErrDenied
		}
		if now.Sub(s.Used) > touchEvery {
			s.Used = now
			// If the write fails, the list shows an older time, and that is all.
			_ = a.save()
		}
		return s.SignIn, nil
	}
	return SignIn{}, ErrDenied
}

// SignIns lists the sign-ins, newest first.
func (a *Auth) SignIns() []SignIn {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]SignIn, 0, len(a.stored.SignIns))
	for _, s := range slices.Backward(a.stored.SignIns) {
		all = append(all, s.SignIn)
	}
	return all
}

// Revoke ends a sign-in and its requests at once. ok is false if no sign-in has that ID.
func (a *Auth) Revoke(id string) (ok bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.stored.SignIns, func(s storedSignIn) bool { return s.ID == id })
	if i < 0 {
		return false, nil
	}
	a.stored.SignIns = slices.Delete(a.stored.SignIns, i, i+1)
	a.running.end(id)
	return true, a.save()
}

// End ends every sign-in of a browser but that with the ID keep, all sign-in links, and if
// tokens is true the tokens of programs.
func (a *Auth) End(keep string, tokens bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end(keep, tokens)
	return a.save()
}

// end is End without saving; mu is held.
func (a *Auth) end(keep string, tokens bool) {
	clear(a.oneTime)
	a.stored.SignIns = slices.DeleteFunc(a.stored.SignIns, func(s storedSignIn) bool {
		ends := s.ID != keep && (s.Kind == "browser" || tokens)
		if ends {
			a.running.end(s.ID)
		}
		return ends
	})
}

// SetPassword sets the password, or removes it if it is empty, and ends the sign-ins of
// browsers but that with the ID keep.
func (a *Auth) SetPassword(password, keep string) error {
	phc := ""
	if password != "" {
		if len([]rune(password)) < minPassword {
			return fmt.Errorf("a password needs at least %d characters", minPassword)
		}
		phc = a.hashing.Hash(password)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stored.Password = phc
	a.end(keep, false)
	return a.save()
}

// HasPassword reports whether a password is set.
func (a *Auth) HasPassword() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored.Password != ""
}

// add makes a sign-in; mu is held.
func (a *Auth) add(kind, label string, scope Scope) (string, SignIn, error) {
	secret := newToken()
	sum := sha256.Sum256([]byte(secret))
	now := a.now()
	s := SignIn{ID: hex.EncodeToString(sum[:6]), Kind: kind, Label: clip(label, 120), Scope: scope, Created: now, Used: now}
	if len(a.stored.SignIns) >= maxSignIns {
		least := 0
		for i, s := range a.stored.SignIns {
			if s.Used.Before(a.stored.SignIns[least].Used) {
				least = i
			}
		}
		a.running.end(a.stored.SignIns[least].ID)
		a.stored.SignIns = slices.Delete(a.stored.SignIns, least, least+1)
	}
	a.stored.SignIns = append(a.stored.SignIns, storedSignIn{SignIn: s, Hash: hex.EncodeToString(sum[:])})
	return secret, s, a.save()
}

// save replaces the file atomically; mu is held.
func (a *Auth) save() error {
	b, err := json.MarshalIndent(a.stored, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the credentials: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(a.path), ".credentials-*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("saving the credentials: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), a.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("saving the credentials: %w", err)
	}
	return nil
}

func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// clip shortens s to at most n bytes and splits no character.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
