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

// Calls for a service that isn't served here are forwarded to the endpoint that the
// operator has configured for the service, if any. The signature names the service:
// unsigned calls are not forwarded. For many services the operation of a call can't be
// found out. So the call is authorized as all operations (s3:*), on no named resource.
// A caller who is denied any part of the service is denied all of it.

// findUpstream returns the endpoint to which the call is forwarded, nil if the call is
// answered here.
func (x *exchange) findUpstream(head *sigv4.Head, isMounted bool) *forward.Upstream {
	if isMounted || x.target.svc != nil {
		return nil
	}
	return x.s.forwards[head.Service()]
}

// unsignedTrailer announces a body in unsigned chunks with a checksum in its trailer.
// Such a body is forwarded unchanged.
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

// forward forwards the call. If the head states the payload's hash, the body is
// forwarded as it arrives. Otherwise the whole body must arrive before it can be
// verified, within the limits of every call.
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
			caller, err = x.acceptCaller(verified, 0, 0)
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
