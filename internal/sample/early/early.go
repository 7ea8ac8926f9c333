// Package early runs the sample program before the rest of the binary is
// initialised.
//
// Go initialises packages in the order of their import paths as far as their
// imports allow. This one imports the standard library only, so its turn comes
// before etcd, gRPC and the SDK, whose initialisation costs tens of
// milliseconds and more memory than the program itself; a container that is
// called `sleep` has neither to spare. A test of the image keeps the promise.
package early

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/ashore/ashore/internal/sample"
)

func init() {
	if len(os.Args) == 0 {
		return
	}
	if name := filepath.Base(os.Args[0]); slices.Contains(sample.Names, name) {
		os.Exit(sample.Main(name, os.Args[1:]))
	}
}
