package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"time"

	"github.com/caddyserver/certmagic"
)

// store is certmagic's folder without its lock files: the state directory is locked against
// other processes, and this one places an order at a time.
type store struct {
	*certmagic.FileStorage
	key string // of the CA
}

var (
	_ certmagic.Storage   = store{}
	_ certmagic.TryLocker = store{}
)

func newStore(dir, key string) store { return store{&certmagic.FileStorage{Path: dir}, key} }

// Lock implements certmagic.Locker.
func (store) Lock(context.Context, string) error { return nil }

// TryLock implements certmagic.TryLocker.
func (store) TryLock(context.Context, string) (bool, error) { return true, nil }

// Unlock implements certmagic.Locker.
func (store) Unlock(context.Context, string) error { return nil }

// certificate reads the certificate of an address; nil if there is none. One that cannot be
// used is deleted: it is asked for again.
func (s store) certificate(ctx context.Context, a netip.Addr) (*tls.Certificate, error) {
	cert, err := s.Load(ctx, certmagic.StorageKeys.SiteCert(s.key, a.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := s.Load(ctx, certmagic.StorageKeys.SitePrivateKey(s.key, a.String()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err == nil {
		err = isFor(pair.Leaf, a)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the certificate of %s is damaged: %w", a, err), s.forget(ctx, a))
	}
	return &pair, nil
}

func isFor(leaf *x509.Certificate, a netip.Addr) error {
	for _, b := range leaf.IPAddresses {
		if ip, ok := netip.AddrFromSlice(b); ok && ip.Unmap() == a {
			return nil
		}
	}
	return errors.New("it is for another address")
}

func (s store) forget(ctx context.Context, a netip.Addr) error {
	return s.Delete(ctx, certmagic.StorageKeys.CertsSitePrefix(s.key, a.String()))
}

// A try is what is remembered of failures at an address.
type try struct {
	Failures int       `json:"failures"`
	At       time.Time `json:"at"`
	Retry    time.Time `json:"retry"`
	State    string    `json:"state"`
	Error    string    `json:"error"`
	// Link is the network of an address that was tried as a successor.
	Link string `json:"link,omitempty"`
}

// noteKey is where something is remembered beside certmagic's own files.
func (s store) noteKey(of string) string {
	return path.Join(of, certmagic.StorageKeys.Safe(s.key)+".json")
}

// note reads what is remembered; nothing if that is not there.
func (s store) note(ctx context.Context, of string, all any) error {
	b, err := s.Load(ctx, s.noteKey(of))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, all)
	}
	return err
}

func (s store) saveNote(ctx context.Context, of string, all any) error {
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return s.Store(ctx, s.noteKey(of), b)
}

func (s store) tries(ctx context.Context) (all map[netip.Addr]try, err error) {
	err = s.note(ctx, "tries", &all)
	return all, err
}

func (s store) saveTries(ctx context.Context, all map[netip.Addr]try) error {
	return s.saveNote(ctx, "tries", all)
}

func (s store) proofs(ctx context.Context) (all map[netip.Addr]proof, err error) {
	err = s.note(ctx, "proofs", &all)
	return all, err
}

func (s store) saveProofs(ctx context.Context, all map[netip.Addr]proof) error {
	return s.saveNote(ctx, "proofs", all)
}
