package store

import (
	"reflect"
	"strings"
	"sync"

	_ "github.com/ashore/ashore/internal/aws/model/ecs" // unions and documents inside our records
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The AWS codec stores the SDK's types inside our records, under their wire names. All
// other types are stored by their own tags.

// wires holds the SDK's types that records contain.
var wires struct {
	out   []*json.Marshalers
	in    []*json.Unmarshalers
	types map[reflect.Type]bool
}

// Wire declares an SDK type that records contain. A package variable calls it, as with
// Register. Types inside the declared type need no declaration. When a store opens and
// a record contains an undeclared SDK type, it panics and names the type.
func Wire[T any]() struct{} {
	if registered.isClosed() {
		panic("store: a type of records is declared after a store was opened")
	}
	if wires.types == nil {
		wires.types = map[reflect.Type]bool{}
	}
	if t := reflect.TypeFor[T](); !wires.types[t] {
		wires.types[t] = true
		wires.out, wires.in = append(wires.out, wireOut[T]()), append(wires.in, wireIn[T]())
	}
	return struct{}{}
}

var _ = []struct{}{
	Wire[types.ClusterSetting](),
	Wire[types.ClusterConfiguration](),
	Wire[types.CapacityProviderStrategyItem](),
	Wire[types.ClusterServiceConnectDefaults](),
	Wire[types.Tag](),
	Wire[types.Resource](),
	Wire[types.Attribute](),
	Wire[types.TaskOverride](),
	Wire[types.NetworkBinding](),
	Wire[ecs.RegisterTaskDefinitionInput](),
	Wire[types.AutoScalingGroupProvider](),
	Wire[types.ManagedInstancesProvider](),
	Wire[types.EphemeralStorage](),
	Wire[types.AwsVpcConfiguration](),
	Wire[types.TaskVolumeConfiguration](),
	Wire[types.PlacementConstraint](),
	Wire[types.PlacementStrategy](),
	Wire[types.DeploymentConfiguration](),
	Wire[types.NetworkConfiguration](),
	Wire[types.ServiceVolumeConfiguration](),
}

// codec is made at its first use, when all types are declared.
var codec = sync.OnceValues(func() (json.Options, json.Options) {
	return json.WithMarshalers(json.JoinMarshalers(wires.out...)), json.WithUnmarshalers(json.JoinUnmarshalers(wires.in...))
})

// unwired returns an SDK type in a record's type that is not declared, or nil.
func unwired(record reflect.Type) reflect.Type {
	seen := map[reflect.Type]bool{}
	var find func(t reflect.Type) reflect.Type
	find = func(t reflect.Type) reflect.Type {
		if seen[t] || wires.types[t] {
			return nil
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Map:
			if missing := find(t.Key()); missing != nil {
				return missing
			}
			return find(t.Elem())
		case reflect.Pointer, reflect.Slice, reflect.Array:
			return find(t.Elem())
		case reflect.Struct:
			if strings.HasPrefix(t.PkgPath(), "github.com/aws/aws-sdk-go-v2/service/") {
				return t
			}
			for i := range t.NumField() {
				if f := t.Field(i); f.IsExported() {
					if missing := find(f.Type); missing != nil {
						return missing
					}
				}
			}
		}
		return nil
	}
	return find(record)
}

func wireOut[T any]() *json.Marshalers {
	return json.MarshalToFunc(func(e *jsontext.Encoder, v *T) error {
		b, err := awsjson.Append(e.AvailableBuffer(), v)
		if err != nil {
			return err
		}
		return e.WriteValue(b)
	})
}

func wireIn[T any]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *T) error {
		b, err := d.ReadValue()
		if err != nil {
			return err
		}
		return awsjson.Unmarshal(b, v)
	})
}

func marshal(v any) ([]byte, error) {
	out, _ := codec()
	return json.Marshal(v, out)
}

func unmarshal(data []byte, v any) error {
	_, in := codec()
	return json.Unmarshal(data, v, in)
}
