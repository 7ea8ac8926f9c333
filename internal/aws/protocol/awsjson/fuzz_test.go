package awsjson

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A document that decodes is valid JSON, and its value encodes to a document that
// decodes to the same value.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[]`, `{"family":"f","containerDefinitions":[{"name":"a","cpu":1,"environment":[{"name":"a"}],"dockerLabels":{"a":"b"}}]}`,
		`{"containerDefinitions":[{"healthCheck":{"command":["a"]},"memory":1e2}],"volumes":[{"host":{}}],"tags":null}`,
		`{"x":[[[[[[{}]]]]]],"family":"\u00e9\ud83d\ude00"}`, `{"family":"\ud800"}`, `{"cpu":1.5,"taskRoleArn":"","family":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []func() any{
			func() any { return new(ecs.RegisterTaskDefinitionInput) },
			func() any { return new(types.Task) },
			func() any { return new(ecs.CreateGatewayInput) },
			func() any { return new(types.DeploymentLifecycleHook) },
		} {
			first := v()
			if err := Unmarshal(b, first); err != nil {
				continue
			}
			if !json.Valid(b) {
				t.Fatalf("decoded what isn't JSON: %q", b)
			}
			once, err := Marshal(first)
			if err != nil {
				t.Fatalf("%q decoded but didn't encode: %v", b, err)
			}
			second := v()
			if err := Unmarshal(once, second); err != nil {
				t.Fatalf("%q became %s: %v", b, once, err)
			}
			twice, err := Marshal(second)
			if err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%q became %s, then %s: %v", b, once, twice, err)
			}
		}
	})
}
