package json11

import (
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	documentjson "github.com/aws/smithy-go/document/json"
)

// Reflection finds everything about the SDK's structs but what stands here: one
// line for each exception of each service served.

// wireNames are the members that aren't their Go name with a small first letter.
var wireNames = map[reflect.Type]map[string]string{}

// unions are the interfaces of which a value is exactly one of some members.
var unions = []unionOf{
	union[types.DescribeGatewayConfiguration](&types.DescribeGatewayConfigurationMemberHostSharedAlb{}),
	union[types.GatewayConfiguration](&types.GatewayConfigurationMemberHostSharedAlb{}),
	union[types.GatewayConnectionResources](&types.GatewayConnectionResourcesMemberHostSharedAlb{}),
	union[types.GatewayElbAccessLogDestination](&types.GatewayElbAccessLogDestinationMemberS3{}),
	union[types.GatewayInfrastructureResources](&types.GatewayInfrastructureResourcesMemberHostSharedAlb{}),
	union[types.GatewayRouteResources](&types.GatewayRouteResourcesMemberHostSharedAlb{}),
	union[types.ServiceConnectContainerConfiguration](&types.ServiceConnectContainerConfigurationMemberLogLevel{}),
	union[types.SharingStrategy](&types.SharingStrategyMemberNvidiaMps{}),
	union[types.UpdateGatewayConfiguration](&types.UpdateGatewayConfigurationMemberHostSharedAlb{}),
}

// documents are the interfaces that hold any JSON, by what makes one.
var documents = map[reflect.Type]func(raw []byte, v any) any{
	reflect.TypeFor[document.Interface](): func(raw []byte, v any) any {
		return &ecsDocument{Interface: document.NewLazyDocument(v), raw: raw, v: v}
	},
}

// ecsDocument is a document that stays as it was sent, byte for byte: the SDK's
// own would turn empty maps into null. The embedded one makes it the SDK's type.
type ecsDocument struct {
	document.Interface
	raw []byte
	v   any
}

func (d *ecsDocument) MarshalSmithyDocument() ([]byte, error) { return d.raw, nil }

func (d *ecsDocument) UnmarshalSmithyDocument(into any) error {
	return documentjson.NewDecoder().DecodeJSONInterface(d.v, into)
}

type unionOf struct {
	iface   reflect.Type
	members []reflect.Type // structs with one field, Value
}

func union[I any](members ...I) unionOf {
	u := unionOf{iface: reflect.TypeFor[I]()}
	for _, m := range members {
		u.members = append(u.members, reflect.TypeOf(m).Elem())
	}
	return u
}
