// Package early runs the sample program before the rest of the binary is
// initialised.
//
// Go initialises packages in the order of their import paths, as far as their imports
// allow. This package imports only the standard library, so it comes before etcd, gRPC
// and the SDK. Their initialisation takes tens of milliseconds and more memory than the
// program itself. A container that runs `sleep` can't afford that. A test of the image
// checks it.
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
