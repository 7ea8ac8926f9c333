package awsjson

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/aws/protocol"
)

// A caller limits the memory of a document, and Hold is called as the document grows.
func TestWithin(t *testing.T) {
	const n = 10_000
	doc := []byte(`{"containerDefinitions":[` + strings.Repeat("{},", n-1) + `{}]}`)
	var asked []int
	hold := func(bytes int) error {
		asked = append(asked, bytes)
		return nil
	}
	in := &ecs.RegisterTaskDefinitionInput{}
	if err := UnmarshalWithin(doc, in, protocol.Within{Hold: hold}); err != nil || len(in.ContainerDefinitions) != n {
		t.Fatalf("%d, %v", len(in.ContainerDefinitions), err)
	}
	for i, bytes := range asked {
		if bytes%(64<<10) != 0 || i > 0 && bytes <= asked[i-1] {
			t.Fatalf("asked for %v", asked)
		}
	}
	if last := asked[len(asked)-1]; last < n*500 {
		t.Errorf("%d containers count for %d bytes", n, last)
	}

	no := errors.New("no")
	if err := UnmarshalWithin(doc, &ecs.RegisterTaskDefinitionInput{}, protocol.Within{Hold: func(bytes int) error {
		if bytes > 1<<20 {
			return no
		}
		return nil
	}}); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	var typed *protocol.Error
	if err := UnmarshalWithin(doc, &ecs.RegisterTaskDefinitionInput{}, protocol.Within{Memory: 1 << 20}); !errors.As(err, &typed) || !strings.Contains(err.Error(), "too many elements") {
		t.Errorf("%v", err)
	}
	// A small document calls no Hold: the pooled decoder has no state of the last one.
	asked = nil
	if err := UnmarshalWithin([]byte(`{"family":"f"}`), in, protocol.Within{Hold: hold}); err != nil || len(asked) != 0 {
		t.Errorf("asked for %v: %v", asked, err)
	}
}
