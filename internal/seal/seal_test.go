package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func open(t *testing.T, file string, sealed bool) *Sealer {
	t.Helper()
	s, err := Open(file, sealed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "seal.key")
	s := open(t, file, false)
	sealed, err := s.Seal([]byte("hunter2"), "key/A")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatal("sealed value shows the secret")
	}
	again := open(t, file, true)
	got, err := again.Unseal(sealed, "key/A")
	if err != nil || string(got) != "hunter2" {
		t.Fatalf("Unseal = %q, %v", got, err)
	}
	if _, err := again.Unseal(sealed, "key/B"); err == nil {
		t.Fatal("a sealed value opened for another owner")
	}
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", st.Mode(), err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".seal-*"))
	if len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

func TestMissingKeyIsRefusedWhereSealedDataExists(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seal.key")
	_, err := Open(file, true)
	if !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), file) {
		t.Fatalf("err = %v; want ErrNoKey naming %s", err, file)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Fatal("a new key was made in the lost one's place")
	}
}

func TestAnotherKeyDoesNotOpen(t *testing.T) {
	dir := t.TempDir()
	sealed, err := open(t, filepath.Join(dir, "a"), false).Seal([]byte("x"), "o")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, filepath.Join(dir, "b"), false).Unseal(sealed, "o"); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Fatalf("err = %v", err)
	}
}

func TestRotateKeepsOldSecretsReadable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seal.key")
	old := open(t, file, false)
	sealed, err := old.Seal([]byte("x"), "o")
	if err != nil {
		t.Fatal(err)
	}
	if err := Rotate(file); err != nil {
		t.Fatal(err)
	}
	s := open(t, file, true)
	if got, err := s.Unseal(sealed, "o"); err != nil || string(got) != "x" {
		t.Fatalf("after rotation: %q, %v", got, err)
	}
	renewed, err := s.Seal([]byte("y"), "o")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Unseal(renewed, "o"); err == nil {
		t.Fatal("the old key opens what was sealed after the rotation: no new key is in use")
	}
}

func TestOpenFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seal.key")
	open(t, file, false)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, true); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("err = %v", err)
	}
}

func TestServersThatStartAtOnceShareOneKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seal.key")
	sealers := make([]*Sealer, 8)
	var wg sync.WaitGroup
	for i := range sealers {
		wg.Go(func() {
			s, err := Open(file, false)
			if err != nil {
				t.Error(err)
				return
			}
			sealers[i] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed, err := sealers[0].Seal([]byte("x"), "o")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sealers {
		if _, err := s.Unseal(sealed, "o"); err != nil {
			t.Fatal(err)
		}
	}
}
