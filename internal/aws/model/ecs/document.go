package ecs

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
	documentjson "github.com/aws/smithy-go/document/json"

	"github.com/ashore/ashore/internal/aws/model"
)

func init() {
	model.DeclareDocument[document.Interface](func(raw []byte, v any) any {
		return &rawDocument{Interface: document.NewLazyDocument(v), raw: raw, v: v}
	})
}

// rawDocument is a document that keeps the bytes that were sent. The SDK's own document
// would turn empty maps into null. The embedded document makes rawDocument implement
// the SDK's interface.
type rawDocument struct {
	document.Interface
	raw []byte
	v   any
}

func (d *rawDocument) MarshalSmithyDocument() ([]byte, error) { return d.raw, nil }

func (d *rawDocument) UnmarshalSmithyDocument(into any) error {
	return documentjson.NewDecoder().DecodeJSONInterface(d.v, into)
}
