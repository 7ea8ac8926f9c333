package frontdoor

import (
	"context"
	"net"

	"github.com/ashore/ashore/internal/identity"
)

// Caller is the sender of a request whose signature was verified.
type Caller struct {
	Principal   identity.Principal
	AccessKeyID string
	RequestID   string
	Service     string // Service.Name, empty for a mounted path
	Operation   string // "RunTask", empty for a mounted path
	// Endpoint is scheme://host[:port] as the client addressed this server. The client
	// signed the host.
	Endpoint   string
	RemoteAddr string
	UserAgent  string
	// AgentRun identifies an agent's process, empty for any other caller. It is not
	// signed: an agent that lies about it harms only itself.
	AgentRun string

	trail *trail // the decision about the call; nil outside of a call
}

// Values returns the values of the condition keys that every call has, nil for other
// keys. They stay the same as long as the call goes on.
func (c Caller) Values(key string) []string {
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

// WithCaller returns a context with the caller c. The front door calls it for each
// handler. Tests call it instead of a front door.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}
