package sdksource

import (
	"os"
	"slices"
	"testing"
)

func read(t *testing.T) (required, validated Table) {
	t.Helper()
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	if required, err = Required(dir); err != nil {
		t.Fatal(err)
	}
	if validated, err = Validated(dir); err != nil {
		t.Fatal(err)
	}
	if len(required) < 100 || len(validated) < 50 {
		t.Fatalf("only %d and %d types", len(required), len(validated))
	}
	return required, validated
}

// A new version of the SDK needs a new table.
func TestTableIsUpToDate(t *testing.T) {
	required, _ := read(t)
	want, err := required.Go()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../required_ecs.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("internal/aws/shape/required_ecs.go is out of date: go generate ./internal/aws/shape")
	}
}

// The comments and the client's own checks say the same.
func TestCommentsAreWhatTheClientChecks(t *testing.T) {
	required, validated := read(t)
	for name, members := range validated {
		for _, m := range members {
			if !slices.Contains(required[name], m) {
				t.Errorf("the client requires %s.%s, its comment doesn't", name, m)
			}
		}
	}
}
