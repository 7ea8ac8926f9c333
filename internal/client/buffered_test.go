package client

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/local"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// early answers before it has read the body to its end, and reads the rest afterwards.
type early struct{ body io.Reader }

func (e *early) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.ReadFull(r.Body, make([]byte, r.ContentLength)); err != nil {
		return nil, err
	}
	e.body = r.Body
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

func TestBodiesOutliveTheAnswersBeginning(t *testing.T) {
	c := New(local.Admin{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKeyID: "a", SecretAccessKey: "b"})
	e := &early{}
	c.http.Transport = e
	if _, err := c.ECS.ListClusters(context.Background(), &ecs.ListClustersInput{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, e.body); err != nil {
		t.Errorf("net/http looks for the body's end after the answer's beginning, and gets %v", err)
	}
}
