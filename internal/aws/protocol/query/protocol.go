package query

import (
	"net/http"
	"net/url"
	"reflect"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/awsxml"
)

var encoders = [...]awsxml.Encoder{
	AWS: {Element: "member"},
	EC2: {Element: "item", Name: model.LowerFirst},
}

// Form returns a request's form, from its body or its URL.
func Form(r *http.Request, body []byte) (url.Values, error) {
	raw := string(body)
	if raw == "" {
		raw = r.URL.RawQuery
	}
	form, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &protocol.Error{Msg: "the form is malformed", Err: err}
	}
	return form, nil
}

func (d Dialect) Decode(_ *model.Operation, r *http.Request, body []byte, in any, within protocol.Within) error {
	form, err := Form(r, body)
	if err != nil {
		return err
	}
	return d.Unmarshal(form, in, within)
}

func (d Dialect) Encode(dst []byte, svc *model.Service, op *model.Operation, h http.Header, requestID string, out any) ([]byte, error) {
	h.Set("Content-Type", "text/xml")
	response, result := op.Name+"Response", op.Name+"Result"
	e := &encoders[d]
	dst = awsxml.AppendOpen(dst, response, "xmlns", svc.Namespace)
	var err error
	if d == EC2 {
		dst = awsxml.AppendLeaf(dst, "requestId", requestID)
		if dst, err = e.AppendMembers(dst, out); err != nil {
			return nil, err
		}
		return awsxml.AppendClose(dst, response), nil
	}
	if hasResult(out) {
		dst = awsxml.AppendOpen(dst, result)
		if dst, err = e.AppendMembers(dst, out); err != nil {
			return nil, err
		}
		dst = awsxml.AppendClose(dst, result)
	}
	dst = awsxml.AppendOpen(dst, "ResponseMetadata")
	dst = awsxml.AppendLeaf(dst, "RequestId", requestID)
	dst = awsxml.AppendClose(dst, "ResponseMetadata")
	return awsxml.AppendClose(dst, response), nil
}

// hasResult says whether an operation answers with a structure, even an empty one.
func hasResult(out any) bool {
	t := reflect.TypeOf(out)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	schema := model.SchemaOf(t)
	_, unit := smithy.SchemaTrait[*traits.UnitShape](schema)
	return schema != nil && !unit
}

// Fault encodes an error in the dialect's form. It leaves out namespaces, because no
// client reads them.
func (d Dialect) Fault(h http.Header, requestID string, f protocol.Fault) []byte {
	h.Set("Content-Type", "text/xml")
	code := f.Code
	if spelled, ok := codes[code]; ok && f.Err == nil { // a modelled error has a spelling of its own
		code = spelled
	}
	if d == EC2 {
		b := awsxml.AppendOpen([]byte(awsxml.Header), "Response")
		b = awsxml.AppendOpen(awsxml.AppendOpen(b, "Errors"), "Error")
		b = awsxml.AppendLeaf(awsxml.AppendLeaf(b, "Code", code), "Message", f.Message)
		b = awsxml.AppendClose(awsxml.AppendClose(b, "Error"), "Errors")
		return awsxml.AppendClose(awsxml.AppendLeaf(b, "RequestID", requestID), "Response")
	}
	whose := "Sender"
	if f.Status >= http.StatusInternalServerError {
		whose = "Receiver"
	}
	b := awsxml.AppendOpen([]byte(awsxml.Header), "ErrorResponse")
	b = awsxml.AppendLeaf(awsxml.AppendOpen(b, "Error"), "Type", whose)
	b = awsxml.AppendClose(awsxml.AppendLeaf(awsxml.AppendLeaf(b, "Code", code), "Message", f.Message), "Error")
	return awsxml.AppendClose(awsxml.AppendLeaf(b, "RequestId", requestID), "ErrorResponse")
}

// Status returns the model's status, 403 if the caller is unknown or not allowed, else
// 400.
func (d Dialect) Status(f protocol.Fault) int { return protocol.StatusOf(f) }

// Malformed returns the error code for a form that can't be decoded.
func (d Dialect) Malformed() string { return "MalformedInput" }

// codes are the Query protocol's spellings of errors that any service may answer. It
// has only those that differ from JSON's.
var codes = map[string]string{
	"MissingAuthenticationTokenException": "MissingAuthenticationToken",
	"IncompleteSignatureException":        "IncompleteSignature",
	"InvalidSignatureException":           "SignatureDoesNotMatch",
	"UnrecognizedClientException":         "InvalidClientTokenId",
	"UnsupportedOperationException":       "UnsupportedOperation",
	"UnknownOperationException":           "InvalidAction",
	"AccessDeniedException":               "AccessDenied",
	"ServerException":                     "InternalFailure",
}
