package sigv4

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A session's token is looked up with its key, and the signature covers it. Without the
// check of signed headers, a token that was added later is accepted (seen).
func TestSessionTokens(t *testing.T) {
	session := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: testToken}
	inHeader := func(t *testing.T) *http.Request {
		r := call(t)
		if err := v4.NewSigner().SignHTTP(context.Background(), session, r, payloadHash(bodyOf(t, r)), "ecs", testRegion, now); err != nil {
			t.Fatal(err)
		}
		return r
	}
	inQuery := func(t *testing.T) *http.Request {
		r := request(t, "GET", "http://127.0.0.1:4700/acs/ws?cluster=default", "")
		u, _, err := v4.NewSigner().PresignHTTP(context.Background(), session, r, payloadHash(nil), "ecs", testRegion, now)
		if err != nil {
			t.Fatal(err)
		}
		return request(t, "GET", u, "")
	}
	ours := func(t *testing.T) *http.Request {
		r := call(t)
		Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: testToken, Region: testRegion, Service: "ecs", Now: func() time.Time { return now }}.Sign(r, bodyOf(t, r))
		return r
	}
	without := func(t *testing.T) *http.Request {
		r := call(t)
		sdkSign(t, r, "ecs", now)
		return r
	}
	presigned := func(t *testing.T) *http.Request {
		return sdkPresign(t, request(t, "GET", "http://127.0.0.1:4700/acs/ws?cluster=default", ""), "ecs", now)
	}
	for _, x := range []struct {
		name   string
		r      func(*testing.T) *http.Request
		change func(*http.Request)
		code   Code
		text   string
	}{
		{"in the header", inHeader, nil, "", ""},
		{"in the query string", inQuery, nil, "", ""},
		{"by our signer", ours, nil, "", ""},
		{"another in the header", inHeader, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "stolen") }, UnrecognizedClient, "has not issued"},
		{"none in the header", inHeader, func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, InvalidSignature, "does not match"},
		{"one that is not signed", without, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", testToken) }, InvalidSignature, "must be a 'SignedHeader'"},
		{"two", inHeader, func(r *http.Request) { r.Header.Add("X-Amz-Security-Token", testToken) }, InvalidSignature, "more than one"},
		{"another in the query string", inQuery, func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Security-Token=a", "X-Amz-Security-Token=b", 1)
		}, UnrecognizedClient, "has not issued"},
		{"a second in the query string", inQuery, func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Security-Token=b" }, IncompleteSignature, "more than once"},
		{"one that is added to a query string", presigned, func(r *http.Request) {
			r.URL.RawQuery += "&X-Amz-Security-Token=" + strings.ReplaceAll(testToken, " ", "%20")
		}, InvalidSignature, "does not match"},
		{"one in a header beside a query string", presigned, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", testToken) }, InvalidSignature, "must be a 'SignedHeader'"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := x.r(t)
			if x.change != nil {
				x.change(r)
			}
			got, body := received(t, r)
			_, err := verifier().Verify(got, body, Options{Service: "ecs"})
			wantError(t, err, x.code, x.text)
		})
	}
}

// Clients of a global service sign for the service's region.
func TestGlobalRegion(t *testing.T) {
	for _, x := range []struct {
		region, global string
		ok             bool
	}{{testRegion, "", true}, {testRegion, "us-gov", true}, {"us-gov", "us-gov", true}, {"us-gov", "", false}, {"eu-west-1", "us-gov", false}} {
		r := call(t)
		if err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, r, payloadHash(bodyOf(t, r)), "iam", x.region, now); err != nil {
			t.Fatal(err)
		}
		got, body := received(t, r)
		is, err := verifier().Verify(got, body, Options{Service: "iam", GlobalRegion: x.global})
		if (err == nil) != x.ok || x.ok && is.Region != x.region {
			t.Errorf("%+v: %+v, %v", x, is, err)
		}
	}
}
