package sigv4

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// This is the suite that AWS published for implementers of the signature.
func TestPublishedVectors(t *testing.T) {
	s := Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: testRegion, Service: "service", Now: func() time.Time { return now }}
	for _, tc := range []struct{ name, method, target, body, contentType, signed, want string }{
		{"get-vanilla", "GET", "/", "", "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", "", "", "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"post-vanilla", "POST", "/", "", "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-x-www-form-urlencoded", "POST", "/", "Param1=value1", "application/x-www-form-urlencoded", "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(t, tc.method, "http://example.amazonaws.com"+tc.target, tc.body)
			if tc.contentType != "" {
				r.Header.Set("Content-Type", tc.contentType)
			}
			s.Sign(r, []byte(tc.body))
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + tc.signed + ", Signature=" + tc.want
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			got, body := received(t, r)
			if _, err := verifier().Verify(got, body, Options{Service: "service"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// These are the canonical forms that are easy to get wrong.
func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ raw, want string }{
		{"b=2&a=1", "a=1&b=2"},
		{"a=2&a=1&a", "a=&a=1&a=2"},
		{"a=%2f+x&%7E=~", "a=%2F%20x&~=~"},
		{"X-Amz-Signature=x&a=1&&", "a=1"},
		{"a=%zz", "a=%25zz"},
		{"é=ü", "%C3%A9=%C3%BC"},
		{"a%3Db=c%3Dd=e", "a%3Db=c%3Dd%3De"},
	} {
		if got := canonicalQuery(tc.raw); got != tc.want {
			t.Errorf("query %s: got %s, want %s", tc.raw, got, tc.want)
		}
	}
	for _, tc := range []struct{ path, service, want string }{
		{"/", "ecs", "/"}, {"", "ecs", "/"}, {"/acs/ws", "ecs", "/acs/ws"}, {"/a%20b", "ecs", "/a%2520b"},
		{"/a%20b", "s3", "/a%20b"}, {"/a//b/../c/", "ecs", "/a//b/../c/ /a/c/"},
	} {
		u, err := url.Parse("http://h" + tc.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(uris(u, tc.service), " "); got != tc.want {
			t.Errorf("path %s for %s: got %s, want %s", tc.path, tc.service, got, tc.want)
		}
	}
	r := request(t, "GET", "http://h/", "", "X-A", "  a   b ", "X-A", "c")
	if got := headerValue(r, "x-a"); got != "a b,c" {
		t.Errorf("header: %q", got)
	}
}

// The SDK's signatures verify, and our signatures equal the SDK's.
func TestAgainstSDK(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	word := func() string {
		const letters = "abcXYZ019-_.~ /+=&%;:,*'()é\"<>"
		var b strings.Builder
		for range rng.IntN(12) {
			b.WriteString(string([]rune(letters)[rng.IntN(len([]rune(letters)))]))
		}
		return b.String()
	}
	for i := range 500 {
		q := url.Values{}
		for range rng.IntN(4) {
			q.Add("k"+word(), word())
		}
		u := url.URL{Scheme: "http", Host: "127.0.0.1:4700", Path: "/" + strings.ReplaceAll(word(), "/", ""), RawQuery: q.Encode()}
		method := []string{"POST", "GET", "PUT"}[rng.IntN(3)]
		headers := []string{"X-Amz-Target", "T." + fmt.Sprint(i), "Content-Type", "application/x-amz-json-1.1", "User-Agent", "x",
			"X-Amz-Meta", " a  " + strings.ReplaceAll(word(), "é", "e") + " ", "Amz-Sdk-Request", "attempt=1; max=3"}
		body := word()
		fresh := func() *http.Request { return request(t, method, u.String(), body, headers...) }

		signed := fresh()
		sdkSign(t, signed, "ecs", now)
		got, b := received(t, signed)
		if v, err := verifier().Verify(got, b, Options{Service: "ecs"}); err != nil || v.Query || v.AccessKeyID != testKey {
			t.Fatalf("%s %s: %+v %v", method, u.String(), v, err)
		}
		got, b = received(t, sdkPresign(t, fresh(), "ecs", now))
		if v, err := verifier().Verify(got, b, Options{Service: "ecs"}); err != nil || !v.Query {
			t.Fatalf("presigned %s %s: %+v %v", method, got.URL, v, err)
		}

		ours := request(t, method, u.String(), body, headers[:4]...)
		theirs := ours.Clone(context.Background())
		theirs.ContentLength = 0 // the SDK would sign it
		Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: testRegion, Service: "ecs", Now: func() time.Time { return now }}.Sign(ours, []byte(body))
		sdkSign(t, theirs, "ecs", now)
		if a, b := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); a != b {
			t.Fatalf("%s\nours   %s\ntheirs %s", u.String(), a, b)
		}
		got, b = received(t, ours)
		if _, err := verifier().Verify(got, b, Options{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTampering(t *testing.T) {
	sum := payloadHash([]byte("other"))
	for _, tc := range []struct {
		name   string
		change func(r *http.Request, body *[]byte)
		want   Code
		text   string
	}{
		{"nothing", func(*http.Request, *[]byte) {}, "", ""},
		{"body", func(_ *http.Request, b *[]byte) { *b = []byte(`{"cluster":"other"}`) }, InvalidSignature, "does not match"},
		{"method", func(r *http.Request, _ *[]byte) { r.Method = "PUT" }, InvalidSignature, "does not match"},
		{"path", func(r *http.Request, _ *[]byte) { r.URL.Path = "/other" }, InvalidSignature, "does not match"},
		{"query", func(r *http.Request, _ *[]byte) { r.URL.RawQuery = "a=1" }, InvalidSignature, "does not match"},
		{"host", func(r *http.Request, _ *[]byte) { r.Host = "evil:4700" }, InvalidSignature, "does not match"},
		{"port", func(r *http.Request, _ *[]byte) { r.Host = "127.0.0.1" }, InvalidSignature, "does not match"},
		{"target", func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Target", "X.StopTask") }, InvalidSignature, "does not match"},
		{"second target", func(r *http.Request, _ *[]byte) { r.Header.Add("X-Amz-Target", "X.StopTask") }, InvalidSignature, "more than one X-Amz-Target"},
		{"content type", func(r *http.Request, _ *[]byte) { r.Header.Set("Content-Type", "text/plain") }, InvalidSignature, "does not match"},
		{"date", func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Date", "20150830T123601Z") }, InvalidSignature, "does not match"},
		{"day", func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Date", "20150831T123600Z") }, InvalidSignature, "Date in Credential scope does not match"},
		{"date gone", func(r *http.Request, _ *[]byte) { r.Header.Del("X-Amz-Date") }, IncompleteSignature, "existence of either a 'X-Amz-Date' or a 'Date'"},
		{"date malformed", func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Date", "today") }, IncompleteSignature, "ISO-8601"},
		{"signature", edit("Signature=", "Signature=0"), InvalidSignature, "does not match"},
		{"no signature", cut(", Signature="), IncompleteSignature, "requires 'Signature' parameter"},
		{"no signed headers", edit("SignedHeaders=", "Other="), IncompleteSignature, "requires 'SignedHeaders' parameter"},
		{"signed headers without host", edit(";host;", ";"), InvalidSignature, "'Host' must be a 'SignedHeader'"},
		{"signed headers without target", edit(";x-amz-target", ""), InvalidSignature, "'X-Amz-Target' must be a 'SignedHeader'"},
		{"signed headers without date", edit(";x-amz-date", ""), InvalidSignature, "'X-Amz-Date' must be a 'SignedHeader'"},
		{"signed headers without type", edit("content-type;", ""), InvalidSignature, "does not match"},
		{"signed headers in capitals", edit(";host;", ";host;X-A;"), InvalidSignature, "lower-case"},
		{"more signed headers", edit(";host;", ";host;x-other;"), InvalidSignature, "does not match"},
		{"key", edit(testKey, "AKIDOTHER"), UnrecognizedClient, "The security token included in the request is invalid."},
		{"region", edit("/us-east-1/", "/eu-west-1/"), InvalidSignature, "Credential should be scoped to a valid region ('us-east-1'), not 'eu-west-1'."},
		{"service", edit("/ecs/", "/iam/"), InvalidSignature, "Credential should be scoped to correct service: 'ecs', not 'iam'."},
		{"terminator", edit("/aws4_request", "/aws5_request"), InvalidSignature, "valid terminator: 'aws4_request'"},
		{"scope's day", edit("/20150830/", "/20150829/"), InvalidSignature, "'20150829' != '20150830'"},
		{"short credential", edit("/aws4_request", ""), IncompleteSignature, "exactly 5 slash-delimited"},
		{"algorithm", edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), IncompleteSignature, "Unsupported signing algorithm"},
		{"basic", func(r *http.Request, _ *[]byte) { r.SetBasicAuth("a", "b") }, MissingAuthenticationToken, "Missing Authentication Token"},
		{"garbage", edit("Credential=", "Credential"), IncompleteSignature, "missing equal-sign"},
		{"unsigned", func(r *http.Request, _ *[]byte) { r.Header.Del("Authorization") }, MissingAuthenticationToken, "Missing Authentication Token"},
		{"two signatures", func(r *http.Request, _ *[]byte) { r.Header.Add("Authorization", "x") }, IncompleteSignature, "more than one"},
		{"token", func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Security-Token", "t") }, InvalidSignature, "'X-Amz-Security-Token' must be"},
		{"payload hash", func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Content-Sha256", sum) }, InvalidSignature, "X-Amz-Content-Sha256 header does not match"},
		{"unsigned payload", func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, InvalidSignature, "payload must be signed"},
		{"streaming payload", func(r *http.Request, _ *[]byte) {
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
		}, InvalidSignature, "payload must be signed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := call(t)
			sdkSign(t, r, "ecs", now)
			got, body := received(t, r)
			tc.change(got, &body)
			_, err := verifier().Verify(got, body, Options{Service: "ecs"})
			wantError(t, err, tc.want, tc.text)
			if err != nil && strings.Contains(err.Error(), testSecret) {
				t.Error("the secret is in the error")
			}
		})
	}
}

func TestQueryTampering(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		want           Code
		text           string
	}{
		{"nothing", "X-Amz-Date", "X-Amz-Date", "", ""},
		{"other parameter", "cluster=default", "cluster=other", InvalidSignature, "does not match"},
		{"more parameters", "cluster=default", "cluster=default&a=1", InvalidSignature, "does not match"},
		{"expiry", "X-Amz-Expires=60", "X-Amz-Expires=600", InvalidSignature, "does not match"},
		{"expiry malformed", "X-Amz-Expires=60", "X-Amz-Expires=-1", IncompleteSignature, "X-Amz-Expires must be a number"},
		{"signature gone", "X-Amz-Signature=", "X-Other=", IncompleteSignature, "must include 'X-Amz-Signature'"},
		{"date gone", "X-Amz-Date=", "X-Other=", IncompleteSignature, "must include 'X-Amz-Date'"},
		{"twice", "X-Amz-Date=", "X-Amz-Date=20150830T123600Z&X-Amz-Date=", IncompleteSignature, "more than once"},
		{"algorithm", "AWS4-HMAC-SHA256", "AWS4-X", IncompleteSignature, "Unsupported signing algorithm"},
		{"region", "us-east-1", "eu-west-1", InvalidSignature, "('us-east-1'), not 'eu-west-1'"},
		{"key", testKey, "OTHER", UnrecognizedClient, UnknownToken},
		{"token", "X-Amz-Date=", "X-Amz-Security-Token=t&X-Amz-Date=", UnrecognizedClient, UnknownToken},
		{"malformed", "cluster=default", "cluster=%zz", IncompleteSignature, "malformed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := sdkPresign(t, request(t, "GET", "http://127.0.0.1:4700/acs/ws?cluster=default&X-Amz-Expires=60", ""), "ecs", now)
			if !strings.Contains(r.URL.RawQuery, tc.old) {
				t.Fatal(r.URL.RawQuery)
			}
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, tc.old, tc.new, 1)
			got, body := received(t, r)
			_, err := verifier().Verify(got, body, Options{Service: "ecs"})
			wantError(t, err, tc.want, tc.text)
		})
	}
}

func TestTime(t *testing.T) {
	for _, tc := range []struct {
		query  bool
		target string
		age    time.Duration
		text   string
	}{
		{false, "/", 5 * time.Minute, ""},
		{false, "/", 5*time.Minute + time.Second, "Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
		{false, "/", -5 * time.Minute, ""},
		{false, "/", -5*time.Minute - time.Second, "Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"},
		{true, "/", 15 * time.Minute, ""},
		{true, "/", 15*time.Minute + time.Second, "(20150830T123600Z - 15 min.)"},
		{true, "/?X-Amz-Expires=3600", 16 * time.Minute, "(20150830T123600Z - 15 min.)"},
		{true, "/?X-Amz-Expires=90", 90 * time.Second, ""},
		{true, "/?X-Amz-Expires=90", 91 * time.Second, "(20150830T123600Z - 90 s.)"},
		{true, "/?X-Amz-Expires=90", -6 * time.Minute, "not yet current"},
	} {
		r := request(t, "GET", "http://127.0.0.1:4700"+tc.target, "")
		if tc.query {
			r = sdkPresign(t, r, "ecs", now.Add(-tc.age))
		} else {
			sdkSign(t, r, "ecs", now.Add(-tc.age))
		}
		got, body := received(t, r)
		_, err := verifier().Verify(got, body, Options{})
		code := InvalidSignature
		if tc.text == "" {
			code = ""
		}
		wantError(t, err, code, tc.text)
	}
}

// Some clients leave the scheme's default port out of the signature or of the header,
// but never another port.
func TestHostPorts(t *testing.T) {
	for _, tc := range []struct {
		signed, sent string
		tls, ok      bool
	}{
		{"h", "h:80", false, true}, {"h:80", "h:80", false, true}, {"h", "h:443", true, true}, {"h", "H", false, true},
		{"h", "h:443", false, false}, {"h", "h:80", true, false}, {"h:4700", "H:4700", false, true}, {"h", "h:4700", false, false},
	} {
		r := call(t)
		r.Host = tc.signed
		sdkSign(t, r, "ecs", now)
		got, body := received(t, r)
		got.Host = tc.sent
		if tc.tls {
			got.TLS = &tls.ConnectionState{}
		}
		_, err := verifier().Verify(got, body, Options{})
		if (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

func TestDateHeader(t *testing.T) {
	r := call(t)
	r.Header.Set("Date", now.Format(http.TimeFormat))
	can := canonical{method: "POST", headers: []string{"date", "host", "x-amz-target"}, payload: payloadHash(bodyOf(t, r)), values: map[string]string{
		"date": r.Header.Get("Date"), "x-amz-target": r.Header.Get("X-Amz-Target"),
	}}
	sc := scope{"20150830", testRegion, "ecs"}
	r.Header.Set("Authorization", algorithm+" Credential="+testKey+"/"+sc.String()+",SignedHeaders="+strings.Join(can.headers, ";")+
		",Signature="+signature(signingKey(testSecret, sc), now, sc, can.text("/", r.URL.Host)))
	got, body := received(t, r)
	if _, err := verifier().Verify(got, body, Options{Service: "ecs"}); err != nil {
		t.Error(err)
	}
	got.Header.Set("Authorization", strings.Replace(got.Header.Get("Authorization"), "=date;", "=", 1))
	_, err := verifier().Verify(got, body, Options{Service: "ecs"})
	wantError(t, err, InvalidSignature, "'X-Amz-Date' or 'Date' must be a 'SignedHeader'")
	got.Header.Set("Date", "never")
	_, err = verifier().Verify(got, body, Options{Service: "ecs"})
	wantError(t, err, IncompleteSignature, "ISO-8601")
}

func TestSessionTokenAndBrokenSource(t *testing.T) {
	r := call(t)
	r.Header.Set("X-Amz-Security-Token", "stale")
	sdkSign(t, r, "ecs", now)
	got, body := received(t, r)
	_, err := verifier().Verify(got, body, Options{Service: "ecs"})
	wantError(t, err, UnrecognizedClient, "unset AWS_SESSION_TOKEN")

	r = call(t)
	sdkSign(t, r, "ecs", now)
	edit(testKey, "BROKEN")(r, nil)
	got, body = received(t, r)
	if _, err := verifier().Verify(got, body, Options{Service: "ecs"}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestUnsignedPayloadForS3(t *testing.T) {
	r := request(t, "PUT", "http://127.0.0.1:4700/bucket/a%20key", "data", "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(context.Background(),
		aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, r, "UNSIGNED-PAYLOAD", "s3", testRegion, now)
	if err != nil {
		t.Fatal(err)
	}
	got, body := received(t, r)
	if _, err := verifier().Verify(got, body, Options{UnsignedPayload: true}); err != nil {
		t.Error(err)
	}
	_, err = verifier().Verify(got, body, Options{})
	wantError(t, err, InvalidSignature, "payload must be signed")
}

// Besides plain calls a Signer signs an upgrade to a websocket, and a frame of a
// telemetry connection, which is signed as a GET of the same URL.
func TestSignerForWebsockets(t *testing.T) {
	s := Signer{AccessKeyID: testKey, SecretAccessKey: testSecret, Region: testRegion, Service: "ecs", Now: func() time.Time { return now }}
	for _, body := range []string{"", `{"type":"PublishMetricsRequest"}`} {
		r := request(t, "GET", "http://127.0.0.1:4700/acs/ws?clusterArn=demo&dockerVersion=DockerVersion%3A+20.10.24%2Bdfsg1&seqNum=1", body,
			"Upgrade", "websocket", "Connection", "Upgrade")
		s.Sign(r, []byte(body))
		if !strings.Contains(r.Header.Get("Authorization"), "SignedHeaders=host;x-amz-date,") {
			t.Error(r.Header.Get("Authorization"))
		}
		got, b := received(t, r)
		if _, err := verifier().Verify(got, b, Options{Service: "ecs"}); err != nil {
			t.Error(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=a/20150830/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20150830T123600Z", "")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fecs%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0")
	f.Add("AWS4-HMAC-SHA256 Credential=", "x", "%zz;&=&")
	f.Fuzz(func(t *testing.T, auth, date, query string) {
		r := &http.Request{Method: "POST", Host: "h", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{"X-Amz-Date": {date}}}
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		if _, err := verifier().Verify(r, nil, Options{}); err == nil {
			t.Fatalf("forged: %q %q %q", auth, date, query)
		}
	})
}
