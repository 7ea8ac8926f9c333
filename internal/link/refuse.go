package link

import (
	"fmt"
	"net/http"

	"github.com/ashore/ashore/internal/wire/acs"
)

// refusal is the answer to an upgrade with another status than 101. The agent retries with
// back-off, and only after an hour after InactiveInstanceException.
type refusal struct {
	status int
	name   string // a name that agents know
	text   string
}

func (r *refusal) Error() string { return r.name + ": " + r.text }

// newRefusal returns a refusal with a formatted text.
func newRefusal(status int, name, format string, args ...any) *refusal {
	return &refusal{status, name, fmt.Sprintf(format, args...)}
}

// refuse writes the refusal in the form that agents decode.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	s.cfg.Log.Info("link: upgrade refused", "path", r.URL.Path, "error", why.name, "reason", why.text, "remote", r.RemoteAddr)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(why.status)
	if _, err := w.Write(acs.Refusal(why.name, why.text)); err != nil {
		s.cfg.Log.Debug("link: refusal not delivered", "err", err)
	}
}
