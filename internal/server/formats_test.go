package server

import (
	"flag"
	"testing"

	"github.com/ashore/ashore/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the stored records that are missing in the rooms' testdata")

// Whatever kind of record a room of the server registers, this version reads what
// earlier ones have stored of it.
func TestStoredFormats(t *testing.T) { storetest.Formats(t, *update) }
