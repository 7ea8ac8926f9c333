// Package restxml answers errors in REST-XML: in S3's form, and in that of all
// others. No service that is served here speaks it.
package restxml

import (
	"net/http"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/awsxml"
	"github.com/ashore/ashore/internal/aws/protocol/query"
)

// A Protocol is REST-XML as S3 speaks it, or as all others do.
type Protocol int

const (
	AWS Protocol = iota
	S3
)

func (p Protocol) Decode(*model.Operation, *http.Request, []byte, any, protocol.Within) error {
	return protocol.Errorf("REST-XML is not served")
}

func (p Protocol) Encode([]byte, *model.Service, *model.Operation, http.Header, string, any) ([]byte, error) {
	return nil, protocol.Errorf("REST-XML is not served")
}

// Fault is S3's bare Error, or the answer of the Query protocol, which REST-XML
// shares.
func (p Protocol) Fault(h http.Header, requestID string, f protocol.Fault) []byte {
	if p == AWS {
		return query.AWS.Fault(h, requestID, f)
	}
	h.Set("Content-Type", "text/xml")
	code := f.Code
	if spelled, ok := codes[code]; ok {
		code = spelled
	}
	b := awsxml.AppendOpen([]byte(awsxml.Header), "Error")
	b = awsxml.AppendLeaf(awsxml.AppendLeaf(b, "Code", code), "Message", f.Message)
	return awsxml.AppendClose(awsxml.AppendLeaf(b, "RequestId", requestID), "Error")
}

// Status is what the model says, 403 for a caller who is not known or may not, 400
// otherwise.
func (p Protocol) Status(f protocol.Fault) int { return protocol.StatusOf(f) }

// Malformed is the code of a body that can't be read.
func (p Protocol) Malformed() string { return "MalformedXML" }

// codes are S3's spellings for errors that any service may answer.
var codes = map[string]string{
	"MissingAuthenticationTokenException": "AccessDenied",
	"IncompleteSignatureException":        "AuthorizationHeaderMalformed",
	"InvalidSignatureException":           "SignatureDoesNotMatch",
	"UnrecognizedClientException":         "InvalidAccessKeyId",
	"UnsupportedOperationException":       "UnsupportedOperation",
	"UnknownOperationException":           "InvalidAction",
	"AccessDeniedException":               "AccessDenied",
	"ServerException":                     "InternalError",
	"RequestEntityTooLarge":               "EntityTooLarge",
}
