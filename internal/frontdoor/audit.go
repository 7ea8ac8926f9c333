package frontdoor

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/logline"
)

// The log gets one line for each authorized call: the caller, the operation, its
// resources, the decision with its reason, and the result. The line contains nothing of
// a body, and no error message, because messages quote the request.
//
// Calls that may change something, and denied calls, have level info. Reading calls and
// an agent's routine calls have level debug. There are many of them, and they change
// nothing that an administrator decides. The number of lines with level info is
// bounded, for each caller and in all, to half of what the whole log may have. The next
// line says how many lines were left out.
var auditLimits = logline.Limits{Sources: []string{"principal"}, Each: 50, EachBurst: 1000, All: 100, AllBurst: 2000}

func newAudit(log *slog.Logger) *slog.Logger {
	return slog.New(logline.NewLimited(log.Handler(), auditLimits))
}

// A trail is the decision about a call: the first decision, which is about the
// operation itself, or the decision that denied the call.
type trail struct {
	known     bool
	allowed   bool
	action    string
	resources string
	reason    string
}

// record records a decision.
func (t *trail) record(r identity.Request, d identity.Decision) {
	if t == nil || t.known && d.Allowed {
		return
	}
	*t = trail{known: true, allowed: d.Allowed, action: r.Action, resources: d.Resource, reason: d.Reason()}
	if d.Allowed && len(r.Resources) > 0 {
		t.resources = joinResources(r.Resources)
	}
}

// someResources is how many resources of a call its line names.
const someResources = 4

func joinResources(resources []string) string {
	if len(resources) <= someResources {
		return strings.Join(resources, " ")
	}
	return strings.Join(resources[:someResources], " ") + " and " + strconv.Itoa(len(resources)-someResources) + " more"
}

// A line is the log line of a call.
type line struct {
	caller             Caller // as far as known
	service, operation string
	trail              *trail
	code               string // of the answered error; empty if there was none
	began              time.Time
	more               []any // further attributes, of a call over the network
}

// write writes the line. A call that was not authorized has level debug, because
// strangers can make any number of them.
func (s *Server) write(l line) {
	level, log := slog.LevelDebug, s.cfg.Log
	if l.trail.known && (!l.trail.allowed || l.caller.Principal.Kind != identity.Host && !isReadOnly(l.operation)) {
		level, log = slog.LevelInfo, s.audit
	}
	ctx := context.Background()
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]any, 0, 32), "service", l.service, "operation", l.operation, "principal", l.caller.Principal.ARN)
	if l.trail.known {
		decision := "denied"
		if l.trail.allowed {
			decision = "allowed"
		}
		attrs = append(attrs, "action", l.trail.action, "resources", l.trail.resources, "decision", decision, "reason", l.trail.reason)
	}
	if l.code != "" {
		attrs = append(attrs, "error", l.code)
	}
	attrs = append(attrs, "took", time.Since(l.began), "request", l.caller.RequestID)
	log.Log(ctx, level, "call", append(attrs, l.more...)...)
}

// readOnlyPrefixes are the beginnings of names of operations that change nothing, as in
// CloudTrail's readOnly. The name of a forwarded REST call begins with its method.
var readOnlyPrefixes = []string{"GET ", "HEAD ", "Describe", "List", "Get", "BatchGet", "Discover", "Search", "Lookup", "Simulate", "Explain", "Stream", "Watch", "Poll"}

func isReadOnly(operation string) bool {
	for _, verb := range readOnlyPrefixes {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}
