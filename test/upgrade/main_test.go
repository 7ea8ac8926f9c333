//go:build linux

// Package upgrade replaces server and agent by those of another version and back,
// while real containers run and calls go on, and checks that nothing is lost.
//
// The other version is a binary that -upgrade.from names, as `make soak` does by that
// of the version before. Without it the tests replace a binary by a copy of itself:
// the walk is the same, and all that it checks must hold then, too.
package upgrade

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ashore/ashore/internal/ashoretest"
)

var (
	fromFlag  = flag.String("upgrade.from", "", "the binary of the other version; a copy of this version's unless set")
	movesFlag = flag.Int("upgrade.moves", 3, "how often TestUpAndDown goes from one version to the other")
)

// binaries returns the other version's binary and this version's. They are different
// files, so that a process's file says which of the two it is.
func binaries(t *testing.T) (other, this string) {
	t.Helper()
	this = ashoretest.Binary(t)
	from := *fromFlag
	if from == "" {
		from = this
	}
	other = filepath.Join(t.TempDir(), "ashore")
	if err := copyFile(other, from); err != nil {
		t.Fatal(err)
	}
	return other, this
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
