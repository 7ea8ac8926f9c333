package frontdoor

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
)

// decompress returns the body of a verified call as the protocol reads it. SDKs
// compress large bodies of some operations by gzip. The decompressed body has the same
// limit as a body, and its memory is lent in the same way.
func (x *exchange) decompress(body []byte) ([]byte, error) {
	switch coding := strings.ToLower(x.r.Header.Get("Content-Encoding")); coding {
	case "", "identity":
		return body, nil
	case "gzip":
	default:
		return nil, clientError("SerializationException", fmt.Sprintf("The Content-Encoding %q is not accepted: send the body as it is, or by gzip.", coding))
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, clientError("SerializationException", "The body is not what its Content-Encoding says, gzip: "+err.Error()+".")
	}
	limit, before := x.bodyLimit(), x.running.Size()
	out := make([]byte, 0, firstRead)
	for {
		if len(out) == cap(out) {
			more := min(2*cap(out), int(limit)+1)
			if err := x.running.Resize(x.r.Context(), before+int64(more)); err != nil {
				return nil, busy(err)
			}
			out = slices.Grow(out, more-len(out))
		}
		n, err := z.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case int64(len(out)) > limit:
			return nil, x.tooLarge()
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, clientError("SerializationException", "The body is not what its Content-Encoding says, gzip: "+err.Error()+".")
		}
	}
}
