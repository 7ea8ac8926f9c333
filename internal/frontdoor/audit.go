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

// Each call that was authorized leaves one line in the log: who, what, on what, the
// decision with its reason, and what came of it. It has nothing of a body, and no
// message of an error, since these quote what was sent.
//
// Calls that may change something, and those that are denied, are of level info.
// Reading ones, and what agents say in their daily work, are many and change nothing
// that an administrator decides: they are of level debug. Lines of level info are
// bounded here for each caller and in all, to half of what the whole log may have.
// The next line that is written says how many were left out.
var auditLimits = logline.Limits{Sources: []string{"principal"}, Each: 50, EachBurst: 1000, All: 100, AllBurst: 2000}

func newAudit(log *slog.Logger) *slog.Logger {
	return slog.New(logline.NewLimited(log.Handler(), auditLimits))
}

// A trail is what was decided about a call: the first decision, which is about the
// operation itself, or the one that denied it.
type trail struct {
	known     bool
	allowed   bool
	action    string
	resources string
	reason    string
}

// note keeps a decision.
func (t *trail) note(r identity.Request, d identity.Decision) {
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

// A line is what the log says of a call.
type line struct {
	caller             Caller // as far as it is known
	service, operation string
	trail              *trail
	code               string // of the error that was answered; empty for none
	began              time.Time
	more               []any // attributes of a call over the wire
}

// write writes the line. A call that was not even authorized is of level debug:
// strangers make these.
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

// readOnlyPrefixes are the beginnings of the names of operations that change nothing, as
// CloudTrail's readOnly has it; a REST call that is forwarded begins with its method.
var readOnlyPrefixes = []string{"GET ", "HEAD ", "Describe", "List", "Get", "BatchGet", "Discover", "Search", "Lookup", "Simulate", "Explain", "Stream", "Poll"}

func isReadOnly(operation string) bool {
	for _, verb := range readOnlyPrefixes {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}
