//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"

	"github.com/ashore/ashore/internal/client"
)

// attempt is how long a caller waits for one answer. The stock command line waits for a
// minute.
const attempt = 10 * time.Second

// caller is a client with an address of its own. It retries once, on another server.
// The SDK does not retry at all.
type caller struct {
	addr    netip.Addr
	apis    []*ecs.Client
	turn    atomic.Int64
	begun   atomic.Int64 // number of calls
	done    atomic.Int64
	told    int64 // the part of done that tally has reported
	retried atomic.Int64
	failed  atomic.Int64 // including the retry
	silent  atomic.Int64 // first tries without an answer, which may still take effect
	slowest atomic.Int64 // ns, of calls including the retry
}

func newCaller(w *world) (*caller, error) {
	addr, err := w.lan.AddLocalAddress(w.ctx)
	if err != nil {
		return nil, err
	}
	c := &caller{addr: addr}
	for i := range servers {
		d := net.Dialer{Timeout: 3 * time.Second, LocalAddr: &net.TCPAddr{IP: addr.AsSlice()}}
		c.apis = append(c.apis, ecs.New(ecs.Options{
			Region: w.admin.Region, BaseEndpoint: aws.String(w.url(i)), Retryer: aws.NopRetryer{},
			HTTPClient:  client.BufferedClient{Client: &http.Client{Timeout: attempt, Transport: &http.Transport{DialContext: d.DialContext}}},
			Credentials: credentials.NewStaticCredentialsProvider(w.admin.AccessKeyID, w.admin.SecretAccessKey, ""),
		}))
	}
	return c, nil
}

// call makes one call. If the first server does not answer or could not do it, it makes
// the call again on the next server.
func call[In, Out any](ctx context.Context, c *caller, name string, f func(*ecs.Client, context.Context, *In, ...func(*ecs.Options)) (*Out, error), in *In) (*Out, error) {
	c.begun.Add(1)
	defer c.done.Add(1)
	began := time.Now()
	turn := int(c.turn.Add(1))
	out, err := f(c.apis[turn%servers], ctx, in)
	if isTemporary(err) {
		c.retried.Add(1)
		if isUnanswered(err) {
			c.silent.Add(1)
		}
		first, firstTook := err, time.Since(began)
		out, err = f(c.apis[(turn+1)%servers], ctx, in)
		if isTemporary(err) {
			c.failed.Add(1)
			err = fmt.Errorf("%s failed at server%d after %s (%v) and at server%d after %s: %w", name, turn%servers, firstTook.Round(time.Millisecond), first,
				(turn+1)%servers, (time.Since(began) - firstTook).Round(time.Millisecond), err)
		}
	}
	if took := int64(time.Since(began)); took > c.slowest.Load() {
		c.slowest.Store(took)
	}
	return out, err
}

// isTemporary says whether a client retries an error: no answer, or the server's own
// fault.
func isTemporary(err error) bool {
	var api smithy.APIError
	return err != nil && (!errors.As(err, &api) || api.ErrorFault() == smithy.FaultServer || api.ErrorCode() == "ServerException" || api.ErrorCode() == "ServiceUnavailableException")
}

// isUnanswered says whether the request may lie with a server that is cut off or frozen,
// and may take effect later.
func isUnanswered(err error) bool {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return false
	}
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// tally sums up the clients' counters since the last tally.
func tally(clients []*caller) string {
	var done, retried, failed, slowest int64
	for _, c := range clients {
		now := c.done.Load()
		done, c.told = done+now-c.told, now
		retried += c.retried.Swap(0)
		failed += c.failed.Swap(0)
		slowest = max(slowest, c.slowest.Swap(0))
	}
	return fmt.Sprintf("%d calls, %d of them tried twice, %d failed, slowest %s", done, retried, failed, time.Duration(slowest).Round(time.Millisecond))
}
