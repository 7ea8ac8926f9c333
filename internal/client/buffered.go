package client

import (
	"bytes"
	"io"
	"net/http"
)

// BufferedClient sends request bodies that nobody closes early. The SDK closes a body as
// soon as the answer begins; where that is before net/http has looked for the
// body's end, it closes the connection under the answer, and the SDK repeats the
// call after up to a second (aws/aws-sdk-go-v2, issues 1825 and 2737). A server as
// near as ours answers early enough.
type BufferedClient struct{ *http.Client }

// Do makes a call whose body stays whole.
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
