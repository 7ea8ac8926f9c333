package version

import (
	"testing"

	"github.com/ashore/ashore/internal/control/query"
)

// Whatever a build calls itself, the cluster query language can compare it.
func TestSemantic(t *testing.T) {
	for number, want := range map[string]string{
		"v1.2.3": "1.2.3", "1.2.3": "1.2.3", "v1.2.3-5-gabc1234-dirty": "1.2.3-5-gabc1234-dirty",
		"dev": "0.0.0-dev", "e8239a0": "0.0.0-e8239a0", "7143159-dirty": "0.0.0-7143159-dirty", "v1": "0.0.0-v1",
	} {
		got := Semantic(number)
		if got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
		if _, err := query.Parse("agentVersion >= " + got); err != nil {
			t.Errorf("%s: %v", number, err)
		}
	}
}
