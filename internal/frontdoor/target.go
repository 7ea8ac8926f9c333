package frontdoor

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/aws/protocol/query"
	"github.com/ashore/ashore/internal/aws/protocol/restjson"
	"github.com/ashore/ashore/internal/aws/protocol/restxml"
	"github.com/ashore/ashore/internal/aws/protocol/rpccbor"
	"github.com/ashore/ashore/internal/aws/sigv4"
)

// A target is what a request asks for, as far as the server can tell before the
// signature is verified.
type target struct {
	protocol  protocol.Protocol
	service   string // as messages name it
	operation string
	svc       *service // nil if the service isn't served
}

// targetOf parses the target of a request. body may be nil if it has not come yet. Only
// a form in a body names its operation there.
func (s *Server) targetOf(r *http.Request, body []byte) target {
	_, scope := sigv4.ScopeOf(r)
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	inURL, _ := url.ParseQuery(r.URL.RawQuery) // as much as can be parsed
	// A signed query string carries the target, too.
	name := firstNonEmpty(r.Header.Get("X-Amz-Target"), inURL.Get("X-Amz-Target"))
	form := url.Values{}
	isForm := contentType == "application/x-www-form-urlencoded"
	if isForm {
		form, _ = url.ParseQuery(string(body))
	}
	var t target
	switch {
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		t = s.cborTarget(r)
	case name != "" || strings.HasPrefix(contentType, "application/x-amz-json-1."):
		t = s.jsonTarget(name, contentType)
	case inURL.Has("Action") || form.Has("Action") || isForm && scope != "s3":
		t = target{protocol: query.AWS, operation: firstNonEmpty(form.Get("Action"), inURL.Get("Action"))}
		if version := firstNonEmpty(form.Get("Version"), inURL.Get("Version")); scope == "ec2" || scope == "" && version == "2016-11-15" {
			t.protocol, t.service = query.EC2, "ec2"
		}
	default:
		t = s.restTarget(r, scope, contentType)
	}
	if t.svc == nil && t.operation != "" && !namesService(t) {
		t.svc = s.bySigningName[scope]
	}
	switch {
	case t.svc != nil:
		t.service = t.svc.Model.Name
	case scope != "":
		t.service = scope
	}
	return t
}

// namesService says whether the request itself names its service, and not only its
// signature. Then a JSON target with an unknown prefix is not guessed.
func namesService(t target) bool {
	_, isJSON := t.protocol.(awsjson.Protocol)
	return isJSON
}

// cborTarget parses /service/S/operation/O.
func (s *Server) cborTarget(r *http.Request) target {
	t := target{protocol: rpccbor.Protocol{}}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if n := len(parts); n >= 4 && parts[n-2] == "operation" {
		t.operation, t.service, t.svc = parts[n-1], parts[n-3], s.byShape[parts[n-3]]
	}
	return t
}

// jsonTarget parses Prefix.Operation.
func (s *Server) jsonTarget(name, contentType string) target {
	t := target{protocol: awsjson.JSON11, operation: name}
	if contentType == "application/x-amz-json-1.0" {
		t.protocol = awsjson.JSON10
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		t.operation, t.service, t.svc = name[i+1:], name[:i], s.byShape[name[:i]]
	}
	return t
}

// restTarget finds a REST operation by its method and path.
func (s *Server) restTarget(r *http.Request, scope, contentType string) target {
	t := target{protocol: restjson.Protocol{}, operation: r.Method + " " + r.URL.Path}
	switch {
	case strings.HasPrefix(scope, "s3"):
		t.protocol = restxml.S3
	case scope == "route53" || scope == "cloudfront":
		t.protocol = restxml.AWS
	case scope == "" && contentType == "" && r.Header.Get("X-Amz-Content-Sha256") != "":
		t.protocol = restxml.S3 // unsigned, but only S3's clients send this
	}
	if svc := s.bySigningName[scope]; svc != nil {
		if op := restjson.Find(svc.Model, r.Method, r.URL.EscapedPath()); op != nil {
			t.operation = op.Name
		}
	}
	return t
}

func firstNonEmpty(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
