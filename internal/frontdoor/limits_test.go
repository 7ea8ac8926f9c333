package frontdoor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// presigned returns a call of ECS with its signature in the query string.
func presigned(t *testing.T, d *door, op string) *http.Request {
	t.Helper()
	r := d.unsigned(t, "POST", "/", "", call(op)...)
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	u, headers, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: key, SecretAccessKey: secret},
		r, empty, "ecs", "us-east-1", now())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := http.NewRequest("POST", u, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		if k != "Host" {
			signed.Header[k] = v
		}
	}
	return signed
}

// A body that is too large gets a clear answer, in whatever way it is sent. The next
// request is served.
func TestLargeBody(t *testing.T) {
	d := open(t)
	big := `{"cluster":"` + strings.Repeat("x", 2<<20) + `"}`
	t.Run("sdk", func(t *testing.T) {
		_, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String(big)})
		if err == nil || !strings.Contains(err.Error(), "RequestEntityTooLarge: The request's body is larger than the 1048576 bytes allowed.") {
			t.Errorf("%.300v", err)
		}
	})
	t.Run("with length", func(t *testing.T) {
		res, body := d.do(t, d.signed(t, "ecs", "POST", "/", big, call("ListTasks")...))
		if res.StatusCode != 413 || !strings.Contains(body, `"__type":"RequestEntityTooLarge"`) {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	t.Run("chunked", func(t *testing.T) {
		r := d.signed(t, "ecs", "POST", "/", big, call("ListTasks")...)
		r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(big))
		if res, body := d.do(t, r); res.StatusCode != 413 || !strings.Contains(body, `"__type":"RequestEntityTooLarge"`) {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	t.Run("query", func(t *testing.T) {
		res, body := d.do(t, d.signed(t, "sts", "POST", "/", "Action=X&y="+big, "Content-Type", "application/x-www-form-urlencoded"))
		if res.StatusCode != 413 || !strings.Contains(body, "<Code>RequestEntityTooLarge</Code>") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	t.Run("that waits for our word", func(t *testing.T) {
		conn, err := net.Dial("tcp", d.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: %s.ListTasks\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", prefix, 5<<30)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 413 {
			t.Error(res.Status)
		}
	})
	t.Run("at the limit", func(t *testing.T) {
		fits := `{"cluster":"` + strings.Repeat("x", 1<<20-14) + `"}`
		if res, body := d.do(t, d.signed(t, "ecs", "POST", "/", fits, call("ListTasks")...)); res.StatusCode != 200 {
			t.Errorf("%d bytes: %d %s", len(fits), res.StatusCode, body)
		}
	})
}
