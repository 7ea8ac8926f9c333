// Package seal encrypts stored secrets: now the secrets of access keys, later other
// secret values. Its key is a file outside the store and the data directory. So neither
// a copy of the data directory nor a backup reveals a secret.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Sealer encrypts and decrypts secrets. It doesn't change after Open.
type Sealer struct {
	file string
	aead tink.AEAD
}

// ErrNoKey says that the key file is missing while sealed data exists.
var ErrNoKey = errors.New("seal key is missing")

// Open reads the key file. If there is none it creates one, unless sealed says that
// there are secrets of an earlier key. A new key could not unseal them, and would hide
// that the old key is lost.
func Open(file string, sealed bool) (*Sealer, error) {
	h, err := readKey(file)
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case sealed:
		return nil, fmt.Errorf("%w: %s does not exist, but the store holds secrets sealed with it; put the key file back (it is not part of the data directory or of a backup)", ErrNoKey, file)
	default:
		if h, err = createKey(file); err != nil {
			return nil, err
		}
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("seal key %s: %w", file, err)
	}
	return &Sealer{file: file, aead: a}, nil
}

// File returns the path of the key file.
func (s *Sealer) File() string { return s.file }

// Seal encrypts a secret. owner is the owner of the secret. Only the same owner can
// unseal it, so a sealed value can't be used in place of another one.
func (s *Sealer) Seal(secret []byte, owner string) ([]byte, error) {
	return s.aead.Encrypt(secret, []byte(owner))
}

// Unseal decrypts what Seal made for the same owner.
func (s *Sealer) Unseal(sealed []byte, owner string) ([]byte, error) {
	secret, err := s.aead.Decrypt(sealed, []byte(owner))
	if err != nil {
		return nil, fmt.Errorf("the secret of %s does not open with the seal key %s: it was sealed with another key, or damaged", owner, s.file)
	}
	return secret, nil
}

// Rotate adds a new key to the file. After the next Open, Seal uses the new key. Values
// that an older key sealed can still be unsealed.
func Rotate(file string) error {
	h, err := readKey(file)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	if err := m.SetPrimary(id); err != nil {
		return err
	}
	if h, err = m.Handle(); err != nil {
		return err
	}
	tmp, err := writeKey(file, h)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(file))
}

func readKey(file string) (*keyset.Handle, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("seal key %s is open to other users (mode %#o); run: chmod 600 %s", file, st.Mode().Perm(), file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return nil, fmt.Errorf("seal key %s can't be read: %w", file, err)
	}
	return h, nil
}

// createKey creates a key file. If another process has just created one, createKey
// returns that key. The file appears completely or not at all, and only once.
func createKey(file string) (*keyset.Handle, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	tmp, err := writeKey(file, h)
	if err != nil {
		return nil, err
	}
	linked := os.Link(tmp, file)
	if err := os.Remove(tmp); err != nil {
		return nil, err
	}
	if errors.Is(linked, fs.ErrExist) {
		return readKey(file)
	}
	if linked != nil {
		return nil, linked
	}
	return h, syncDir(filepath.Dir(file))
}

// writeKey writes the key to a temporary file beside file, and syncs it to disk.
func writeKey(file string, h *keyset.Handle) (tmp string, err error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".seal-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(b.Bytes())
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
