package server

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/store/storetest"
)

// TestCoverageNamesWhatIsServed: docs/coverage.md, which says what callers can rely on,
// names each service that the server serves.
func TestCoverageNamesWhatIsServed(t *testing.T) {
	page, err := os.ReadFile("../../docs/coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range newServices("s", storetest.Open(t), nil, "test", slog.Default()).declared() {
		for op := range s.Operations {
			if text := string(page); !strings.Contains(text, "**"+op+"**") && !strings.Contains(text, "**["+op+"](") {
				t.Errorf("%s's %s is served, and docs/coverage.md does not say so: list the service in internal/coverage/coverage_test.go", s.Model.Name, op)
			}
		}
	}
}
