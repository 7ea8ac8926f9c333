// Package restxml answers errors in REST-XML, in S3's form and in the form of other
// services. No service that is served here uses it.
package restxml

import (
	"net/http"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/awsxml"
	"github.com/ashore/ashore/internal/aws/protocol/query"
)

// A Protocol is S3's REST-XML, or the REST-XML of other services.
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

// Fault returns S3's bare Error, or the same error as the Query protocol.
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

// Status returns the model's status, 403 if the caller is unknown or not allowed, else
// 400.
func (p Protocol) Status(f protocol.Fault) int { return protocol.StatusOf(f) }

// Malformed returns the error code for a body that can't be decoded.
func (p Protocol) Malformed() string { return "MalformedXML" }

// codes are S3's spellings of errors that any service may answer.
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
