package channel

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Key is the secret that allows publishing a channel. Keys are stored and exported
// in this text form:
//
//	shoal channel key 1
//	name: NAME
//	key: 64 hex digits, the public key
//	salt: hex digits; the line is omitted if there is no salt
//	secret: 64 hex digits, the seed of RFC 8032
//	sealed: 64 hex digits, the secret of a sealed channel
//
// The key of a sealed channel begins with "shoal channel key 2", so that a release
// that would publish the channel in clear refuses the key. Only such a key has the
// last line.
//
// Empty lines, lines that begin with #, and lines with unknown names are ignored.
type Key struct {
	Name   string
	Salt   []byte
	Sealed share.Secret // of a sealed channel
	secret ed25519.PrivateKey
}

const (
	keyHead       = "shoal channel key 1"
	sealedKeyHead = "shoal channel key 2"
)

// MaxKeyText bounds the text form, in bytes.
const MaxKeyText = 4 << 10

// NewKey generates the key of a new channel, and the secret if it is sealed.
func NewKey(name string, sealed bool) (Key, error) {
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generating the key of a channel: %w", err)
	}
	k := Key{Name: cleanLine(name, maxName), secret: secret}
	if sealed {
		var b [share.SecretSize]byte
		if _, err := rand.Read(b[:]); err != nil {
			return Key{}, fmt.Errorf("generating the secret of a sealed channel: %w", err)
		}
		k.Sealed = share.SecretOf(b)
	}
	return k, nil
}

// Public is the channel's public key.
func (k Key) Public() index.ChannelID { return index.ChannelID(k.secret.Public().(ed25519.PublicKey)) }

// Link is the channel's link.
func (k Key) Link() index.ChannelLink {
	return index.ChannelLink{ID: k.Public(), Salt: k.Salt, Name: k.Name, Secret: k.Sealed}
}

// MarshalText writes the text form.
func (k Key) MarshalText() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Anyone who has this file can publish as the channel. Keep it secret.\n")
	head := keyHead
	if !k.Sealed.IsZero() {
		head = sealedKeyHead
	}
	fmt.Fprintf(&b, "%s\nname: %s\nkey: %s\n", head, cleanLine(k.Name, maxName), k.Public())
	if len(k.Salt) > 0 {
		fmt.Fprintf(&b, "salt: %x\n", k.Salt)
	}
	fmt.Fprintf(&b, "secret: %x\n", k.secret.Seed())
	if !k.Sealed.IsZero() {
		fmt.Fprintf(&b, "sealed: %s\n", k.Sealed.Reveal())
	}
	return b.Bytes(), nil
}

// IsKey reports whether text looks like a key, even if it is damaged or cut off.
func IsKey(text []byte) bool {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			return line == keyHead || line == sealedKeyHead
		}
	}
	return false
}

// UnmarshalText reads the text form. Errors are share.Refused and never contain
// secrets.
func (k *Key) UnmarshalText(text []byte) error {
	if len(text) > MaxKeyText {
		return share.Errorf(share.Refused, "the key of a channel has at most %d bytes", MaxKeyText)
	}
	fields := map[string]string{}
	head := ""
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#':
		case head == "":
			if line != keyHead && line != sealedKeyHead {
				return share.Errorf(share.Refused, "this is not the key of a channel: it does not begin with %q", keyHead)
			}
			head = line
		default:
			name, value, ok := strings.Cut(line, ":")
			name = strings.ToLower(strings.TrimSpace(name))
			if _, twice := fields[name]; !ok || twice {
				return share.Errorf(share.Refused, "the key of a channel has lines of the form NAME: VALUE, each once")
			}
			fields[name] = strings.TrimSpace(value)
		}
	}
	if head == "" {
		return share.Errorf(share.Refused, "this is not the key of a channel: it is empty")
	}
	seed, err := hex.DecodeString(fields["secret"])
	if err != nil || len(seed) != ed25519.SeedSize {
		return share.Errorf(share.Refused, "the key of a channel must have a line 'secret:' with %d hex digits", 2*ed25519.SeedSize)
	}
	read := Key{Name: cleanLine(fields["name"], maxName), secret: ed25519.NewKeyFromSeed(seed)}
	if public, err := index.ParseChannelID(fields["key"]); err != nil || public != read.Public() {
		return share.Errorf(share.Refused, "the key of a channel is damaged: its public and secret parts do not match")
	}
	if s := fields["salt"]; s != "" {
		if read.Salt, err = hex.DecodeString(s); err != nil || len(read.Salt) > index.MaxSalt {
			return share.Errorf(share.Refused, "a salt has hex digits, at most %d", 2*index.MaxSalt)
		}
	}
	if s, ok := fields["sealed"]; ok != (head == sealedKeyHead) {
		return share.Errorf(share.Refused, "the key of a channel has a line 'sealed:' where it begins with %q, and only there", sealedKeyHead)
	} else if ok {
		if read.Sealed, err = share.ParseSecret(s); err != nil {
			return share.Errorf(share.Refused, "the line 'sealed:' in the key of a channel must have %d hex digits, not all zeros", 2*share.SecretSize)
		}
	}
	*k = read
	return nil
}

// keyFile is the path of the key of a channel below dir.
func keyFile(dir string, id index.ChannelID) string { return filepath.Join(dir, id.String()+".key") }

// save stores k below dir, readable only by the user. When it returns, the key
// survives a power cut.
func (k Key) save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return share.Errorf(share.Disk, "saving the key of a channel: %w", err)
	}
	text, err := k.MarshalText()
	if err != nil {
		return err
	}
	if err := writeFile(keyFile(dir, k.Link().Local()), text); err != nil {
		return share.Errorf(share.Disk, "saving the key of a channel: %w", err)
	}
	return nil
}

// ReadKey reads the key of an own channel from dir, the folder of Config.Dir. It
// does not need a running Manager.
func ReadKey(dir string, id index.ChannelID) (Key, error) {
	var k Key
	text, err := os.ReadFile(keyFile(dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return k, index.Unknown(fmt.Sprintf("the key of channel %s is gone from this node: it can be published again when a copy of it is imported", id.Short()))
	}
	if err != nil {
		return k, share.Errorf(share.Disk, "reading the key of channel %s: %w", id.Short(), err)
	}
	err = k.UnmarshalText(text)
	return k, err
}

// Keys lists the channels whose keys are stored below dir.
func Keys(dir string) ([]Key, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		return nil, share.Errorf(share.Disk, "listing keys: %w", err)
	}
	var all []Key
	for _, name := range names {
		id, err := index.ParseChannelID(strings.TrimSuffix(filepath.Base(name), ".key"))
		if err != nil {
			continue
		}
		k, err := ReadKey(dir, id)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// writeFile writes a file atomically: after a power cut it is either complete or
// absent.
func writeFile(name string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}
