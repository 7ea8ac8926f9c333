package ecsapi

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// The SDK's client has a method for each operation, and some others.
func TestOperationsAreTheClients(t *testing.T) {
	var want []string
	client := reflect.TypeFor[*ecs.Client]()
	for i := range client.NumMethod() {
		m := client.Method(i)
		if m.Type.NumIn() == 4 && m.Type.In(2).Kind() == reflect.Pointer && strings.HasSuffix(m.Type.In(2).Elem().Name(), "Input") {
			want = append(want, m.Name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(Operations, want) {
		t.Errorf("got %d: %v\nwant %d: %v", len(Operations), Operations, len(want), want)
	}
}
