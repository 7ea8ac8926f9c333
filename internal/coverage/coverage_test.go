package coverage

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/ashore/ashore/internal/api/ashore"
	"github.com/ashore/ashore/internal/api/ecs"
	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/frontdoor"
)

var update = flag.Bool("update", false, "write docs/coverage.md anew")

const file = "../../docs/coverage.md"

func TestPageIsWhatTheCodeDoes(t *testing.T) {
	served, own := frontdoor.Handlers(reflect.TypeFor[*ecs.Service]()), frontdoor.Handlers(reflect.TypeFor[*ashore.Service]())
	if len(served) == 0 || len(own) == 0 {
		t.Fatal("nothing is served")
	}
	for _, op := range served {
		if ecsmodel.Model.Operation(op) == nil {
			t.Errorf("ECS has no operation %s", op)
		}
	}
	page := Page(
		API{"Amazon ECS", ecsmodel.Model.OperationNames(), served, func(op string) (string, string) { return frontdoor.Refusal("ecs", op) }, Declared},
		API{"Ashore's own", own, own, nil, nil},
	)
	if *update {
		if err := os.MkdirAll("../../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored, page) {
		t.Error("docs/coverage.md is out of date: go test ./internal/coverage -update")
	}
}
