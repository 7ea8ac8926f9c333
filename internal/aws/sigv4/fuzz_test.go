package sigv4

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// refusedAsKnown requires that a request without a valid signature is refused with one
// of the codes.
func refusedAsKnown(t *testing.T, r *http.Request, opt Options) {
	t.Helper()
	ScopeOf(r)
	_, err := verifier().Verify(r, nil, opt)
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, errBroken) {
			return
		}
		t.Fatalf("%v", err)
	}
	if !slices.Contains([]Code{MissingAuthenticationToken, IncompleteSignature, InvalidSignature, UnrecognizedClient}, e.Code) || e.Message == "" {
		t.Fatalf("%+v", e)
	}
}

// No Authorization header is accepted, and none breaks the parser.
func FuzzHeader(f *testing.F) {
	const good = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
		"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	for _, auth := range []string{
		good, "", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 =,=", "AWS3 x", "Bearer x", strings.ReplaceAll(good, "host;", ";"),
		strings.ReplaceAll(good, "20150830", ""), strings.ReplaceAll(good, "AKIDEXAMPLE", "BROKEN"), strings.ReplaceAll(good, "host", "Host"),
	} {
		for _, date := range []string{"20150830T123600Z", "", "20150830T123600.5Z", "99991231T235959Z"} {
			f.Add(auth, date, "a, b", "127.0.0.1:4700")
		}
	}
	f.Fuzz(func(t *testing.T, auth, date, other, host string) {
		r := &http.Request{Method: "POST", URL: &url.URL{Path: "/"}, Host: host, Header: http.Header{
			"Authorization": {auth}, "X-Amz-Date": {date}, "X-Amz-Target": {other}, "Date": {other}, "X-Amz-Security-Token": {other}, "X-Amz-Content-Sha256": {other},
		}}
		refusedAsKnown(t, r, Options{Service: "ecs"})
		for _, h := range []string{"X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
			r.Header.Del(h)
		}
		refusedAsKnown(t, r, Options{UnsignedPayload: true})
	})
}

// No query string is accepted. A canonical one stays unchanged.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20150830T123600Z" +
			"&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=aa", "X-Amz-Algorithm=;", "X-Amz-Signature=&X-Amz-Signature=", "a=%zz&&=&a",
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=99999999999999999999",
	} {
		f.Add("/", q)
		f.Add("/a//b/../c%2F", q)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		u := &url.URL{Path: path, RawQuery: query}
		refusedAsKnown(t, &http.Request{Method: "GET", URL: u, Host: "h", Header: http.Header{}}, Options{UnsignedPayload: true})
		if len(uris(u, "s3")) == 0 || len(uris(u, "ecs")) == 0 {
			t.Errorf("%q has no form", path)
		}
		once := canonicalQuery(query)
		if twice := canonicalQuery(once); twice != once && !strings.Contains(once, "X-Amz-Signature=") {
			t.Errorf("%q is canonically %q, and that is %q", query, once, twice)
		}
	})
}
