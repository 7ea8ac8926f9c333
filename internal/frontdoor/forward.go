package frontdoor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/forward"
	"github.com/ashore/ashore/internal/identity"
)

// Calls for a service that isn't served here go on to the endpoint that the operator
// has named for it, if any. The service is the signature's: nothing that is not signed
// is passed on. Which operation a call is for can't be told for each service, so it is
// authorized as all of them (s3:*), on no resource that is named: who is denied any
// part of the service is denied all of it.

// findUpstream is where the call goes on to, nil where it is answered here.
func (x *exchange) findUpstream(head *sigv4.Head, isMounted bool) *forward.Upstream {
	if isMounted || x.target.svc != nil {
		return nil
	}
	return x.s.forwards[head.Service()]
}

// unsignedTrailer is how a body in chunks without signatures is announced: its trailer has a
// checksum. It is passed on as it is.
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

// forward passes the call on. Where the head says what the payload's hash is, the
// body goes on as it comes; else it must be here to be verified, within the limits of
// every call.
func (x *exchange) forward(up *forward.Upstream, head *sigv4.Head) error {
	var caller Caller
	var payload forward.Payload
	claimed := head.Claimed()
	switch {
	case strings.HasPrefix(claimed, "STREAMING-") && claimed != unsignedTrailer:
		x.refuseBody()
		return &faultError{fault{Fault: protocol.Fault{Status: http.StatusNotImplemented, Code: "NotImplemented", Message: fmt.Sprintf(
			"A body whose chunks are signed (X-Amz-Content-Sha256: %.60s) is not forwarded. Have the client sign the whole body, or leave it unsigned (UNSIGNED-PAYLOAD).", claimed)}, isPublic: true}}
	case claimed != "":
		verified, err := head.VerifyClaimed()
		if err == nil {
			caller, err = x.admit(verified, 0, 0)
		}
		if err != nil {
			x.refuseBody()
			return err
		}
		payload = forward.Payload{Body: head.CheckedBody(x.r.Body, x.r.ContentLength), Length: x.r.ContentLength, Hash: claimed}
	default:
		body, err := x.readBody(head.AccessKeyID())
		if err != nil {
			return err
		}
		x.target = x.s.targetOf(x.r, body)
		if caller, err = x.verify(head, body); err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		payload = forward.Payload{Body: bytes.NewReader(body), Length: int64(len(body)), Hash: hex.EncodeToString(sum[:])}
	}
	caller.Service, caller.Operation = up.Service(), x.target.operation
	ctx := WithCaller(x.r.Context(), caller)
	if err := x.s.authorize(ctx, caller, identity.Request{Caller: caller.Principal, Action: up.Service() + ":*"}); err != nil {
		x.refuseBody()
		return err
	}
	x.s.calls.RLock()
	defer x.s.calls.RUnlock()
	err := up.Forward(x.w, x.r, payload)
	if err != nil {
		x.refuseBody()
	}
	return err
}
