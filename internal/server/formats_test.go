package server

import (
	"flag"
	"testing"

	"github.com/ashore/ashore/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the stored records that are missing in the rooms' testdata")

// This version reads the stored records of earlier versions, for every kind of record
// that a package of the server registers.
func TestStoredFormats(t *testing.T) { storetest.Formats(t, *update) }
