package frontdoor

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/ashore/ashore/internal/aws/sigv4"
)

// A protocol is a way of AWS to put calls into HTTP.
type protocol int

const (
	json11Protocol protocol = iota
	json10Protocol
	queryProtocol
	ec2Protocol
	restXMLProtocol
	s3Protocol
	restJSONProtocol
	cborProtocol
)

// A target is what a request asks for, as far as it can be told before its
// signature is verified.
type target struct {
	protocol  protocol
	service   string // as messages name it
	operation string
	svc       *service // nil where the service isn't served
}

// targetOf reads a request. body may be nil where it was too large.
func (s *Server) targetOf(r *http.Request, body []byte) target {
	_, scope := sigv4.ScopeOf(r)
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))

	if r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		t := target{protocol: cborProtocol, service: scope}
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // service/S/operation/O
		if len(parts) >= 4 && parts[len(parts)-2] == "operation" {
			t.operation = parts[len(parts)-1]
			if t.service == "" {
				t.service = parts[len(parts)-3]
			}
		}
		return t
	}
	query, _ := url.ParseQuery(r.URL.RawQuery) // what can be read of it
	// A signed query string carries the target, too.
	if name := first(r.Header.Get("X-Amz-Target"), query.Get("X-Amz-Target")); name != "" || strings.HasPrefix(contentType, "application/x-amz-json-1.") {
		t := target{protocol: json11Protocol, service: scope, operation: name}
		if contentType == "application/x-amz-json-1.0" {
			t.protocol = json10Protocol
		}
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			t.operation = name[i+1:]
			if t.svc = s.services[name[:i]]; t.svc != nil {
				t.service = t.svc.Name
			} else if t.service == "" {
				t.service = name[:i]
			}
		}
		return t
	}
	form := url.Values{}
	if contentType == "application/x-www-form-urlencoded" {
		form, _ = url.ParseQuery(string(body))
	}
	if query.Has("Action") || form.Has("Action") || contentType == "application/x-www-form-urlencoded" && scope != "s3" {
		t := target{protocol: queryProtocol, service: scope, operation: first(form.Get("Action"), query.Get("Action"))}
		if version := first(form.Get("Version"), query.Get("Version")); scope == "ec2" || scope == "" && version == "2016-11-15" {
			t.protocol, t.service = ec2Protocol, "ec2"
		}
		return t
	}
	t := target{protocol: restJSONProtocol, service: scope, operation: r.Method + " " + r.URL.Path}
	switch {
	case strings.HasPrefix(scope, "s3"):
		t.protocol = s3Protocol
	case scope == "route53" || scope == "cloudfront":
		t.protocol = restXMLProtocol
	case scope == "" && contentType == "" && r.Header.Get("X-Amz-Content-Sha256") != "":
		t.protocol = s3Protocol // unsigned, but only S3's clients send this
	}
	return t
}

func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// writeFault answers f in the protocol's own form.
func (p protocol) writeFault(w http.ResponseWriter, requestID string, f fault) {
	var body []byte
	h := w.Header()
	switch p {
	case json11Protocol, json10Protocol:
		h.Set("Content-Type", p.contentType())
		body = jsonError(f)
	case restJSONProtocol:
		h.Set("Content-Type", "application/json")
		h.Set("X-Amzn-Errortype", f.code)
		body = jsonObject("message", f.message)
	case cborProtocol:
		h.Set("Content-Type", "application/cbor")
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
		body = []byte{0xa2} // a map of two
		for _, s := range []string{"__type", f.code, "message", f.message} {
			body = appendCBORText(body, s)
		}
	default:
		h.Set("Content-Type", "text/xml")
		body = p.xmlError(requestID, f)
	}
	status := f.status
	if status == 0 {
		status = http.StatusBadRequest
		if forbidden[f.code] && p != json11Protocol && p != json10Protocol && p != cborProtocol {
			status = http.StatusForbidden
		}
	}
	respond(w, status, body)
}

func (p protocol) contentType() string {
	if p == json10Protocol {
		return "application/x-amz-json-1.0"
	}
	return "application/x-amz-json-1.1"
}

// jsonError is {"__type":…,"message":…} and the other members of a modelled
// error.
func jsonError(f fault) []byte {
	if len(f.members) <= len("{}") {
		return jsonObject("__type", f.code, "message", f.message)
	}
	b := jsonObject("__type", f.code)
	return append(append(b[:len(b)-1], ','), f.members[1:]...)
}

// jsonObject writes strings by name, in the order given.
func jsonObject(pairs ...string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, s := range pairs {
		b.WriteByte("{:,:"[min(i, 2+i%2)])
		_ = enc.Encode(s) // a string always can be; invalid UTF-8 is replaced
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// appendCBORText writes a text string of less than 64 KiB.
func appendCBORText(b []byte, s string) []byte {
	if len(s) > 1<<16-1 {
		s = s[:1<<16-1]
	}
	switch n := len(s); {
	case n < 24:
		b = append(b, 0x60|byte(n))
	case n < 256:
		b = append(b, 0x78, byte(n))
	default:
		b = append(b, 0x79, byte(n>>8), byte(n))
	}
	return append(b, s...)
}

type xmlFault struct {
	Type    string `xml:"Type,omitempty"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

func (p protocol) xmlError(requestID string, f fault) []byte {
	e := xmlFault{Code: f.code, Message: f.message}
	if code, ok := queryCodes[f.code]; ok {
		e.Code = code
	}
	var v any
	switch p {
	case ec2Protocol:
		v = struct {
			XMLName   xml.Name `xml:"Response"`
			Error     xmlFault `xml:"Errors>Error"`
			RequestID string   `xml:"RequestID"`
		}{Error: e, RequestID: requestID}
	case s3Protocol:
		if code, ok := s3Codes[f.code]; ok {
			e.Code = code
		}
		v = struct {
			XMLName xml.Name `xml:"Error"`
			xmlFault
			RequestID string `xml:"RequestId"`
		}{xmlFault: e, RequestID: requestID}
	default:
		e.Type = "Sender"
		if f.status >= 500 {
			e.Type = "Receiver"
		}
		v = struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Error     xmlFault `xml:"Error"`
			RequestID string   `xml:"RequestId"`
		}{Error: e, RequestID: requestID}
	}
	b, err := xml.Marshal(v)
	if err != nil { // these types always can be
		panic(err)
	}
	return append([]byte(xml.Header), b...)
}
