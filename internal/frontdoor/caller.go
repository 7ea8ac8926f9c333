package frontdoor

import (
	"context"
	"net"

	"github.com/ashore/ashore/internal/identity"
)

// Caller is who sent a request whose signature was verified, and how.
type Caller struct {
	Principal   identity.Principal
	AccessKeyID string
	RequestID   string
	Service     string // Service.Name, empty for a mounted path
	Operation   string // "RunTask", empty for a mounted path
	// Endpoint is scheme://host[:port] as the client addressed this server; the
	// host is part of what it signed.
	Endpoint   string
	RemoteAddr string
	UserAgent  string
	// AgentRun is what an agent says of its process, empty for any other caller. It
	// is not signed: who lies about it harms what is its own.
	AgentRun string

	trail *trail // what was decided about the call; nil outside of one
}

// values are the condition keys that every call has.
func (c Caller) values(key string) []string {
	switch key {
	case "aws:sourceip":
		if host, _, err := net.SplitHostPort(c.RemoteAddr); err == nil {
			return []string{host}
		}
	case "aws:useragent":
		if c.UserAgent != "" {
			return []string{c.UserAgent}
		}
	}
	return nil
}

type callerKey struct{}

// CallerFrom returns the caller of the request that ctx belongs to, or the
// zero Caller outside of one.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// WithCaller returns a context that carries c: what the front door gives to
// each handler, and a test gives in its place.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}
