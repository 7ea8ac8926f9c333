package client

import (
	"bytes"
	"io"
	"net/http"
)

// BufferedClient sends request bodies that are never closed early. The SDK closes a
// body as soon as the answer begins. If net/http has not read to the body's end by
// then, it closes the connection during the answer, and the SDK repeats the call after
// up to a second (aws/aws-sdk-go-v2, issues 1825 and 2737). Our server is near enough
// to answer that early.
type BufferedClient struct{ *http.Client }

// Do sends a request with a buffered body.
func (w BufferedClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return w.Client.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	own := *r
	own.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	own.Body, _ = own.GetBody()
	return w.Client.Do(&own)
}
