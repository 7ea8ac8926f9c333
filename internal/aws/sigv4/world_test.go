package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	testToken  = "a session's token" // as issued
	testRegion = "us-east-1"
)

var (
	now        = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	errUnknown = errors.New("unknown")
	errBroken  = errors.New("broken")
)

func verifier() *Verifier {
	return &Verifier{
		Region: testRegion,
		Now:    func() time.Time { return now },
		Secret: func(_ context.Context, id, token string) (string, error) {
			if token != "" && token != testToken {
				return "", errUnknown
			}
			switch id {
			case testKey:
				return testSecret, nil
			case "BROKEN":
				return "", errBroken
			}
			return "", errUnknown
		},
		IsUnknown: func(err error) bool { return errors.Is(err, errUnknown) },
	}
}

// received returns r as a server receives it: written to a connection and read from it.
func received(t testing.TB, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, body
}

func request(t testing.TB, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func call(t testing.TB) *http.Request {
	return request(t, "POST", "http://127.0.0.1:4700/", `{"cluster":"default"}`,
		"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListTasks")
}

func bodyOf(t testing.TB, r *http.Request) []byte {
	t.Helper()
	rc, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sdkSign(t testing.TB, r *http.Request, service string, at time.Time) {
	t.Helper()
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret},
		r, payloadHash(bodyOf(t, r)), service, testRegion, at)
	if err != nil {
		t.Fatal(err)
	}
}

func sdkPresign(t testing.TB, r *http.Request, service string, at time.Time) *http.Request {
	t.Helper()
	u, headers, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret},
		r, payloadHash(bodyOf(t, r)), service, testRegion, at)
	if err != nil {
		t.Fatal(err)
	}
	signed := request(t, r.Method, u, string(bodyOf(t, r)))
	signed.Header = headers.Clone()
	return signed
}

func edit(old, new string) func(*http.Request, *[]byte) {
	return func(r *http.Request, _ *[]byte) {
		h := r.Header.Get("Authorization")
		if !strings.Contains(h, old) {
			panic(h + " lacks " + old)
		}
		r.Header.Set("Authorization", strings.Replace(h, old, new, 1))
	}
}

func cut(from string) func(*http.Request, *[]byte) {
	return func(r *http.Request, _ *[]byte) {
		h, _, _ := strings.Cut(r.Header.Get("Authorization"), from)
		r.Header.Set("Authorization", h)
	}
}

func wantError(t *testing.T, err error, code Code, text string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("got %v, want %s: %s", err, code, text)
	}
}
