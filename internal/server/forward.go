package server

import (
	"fmt"
	"os"

	"github.com/ashore/ashore/internal/awsprofile"
	"github.com/ashore/ashore/internal/forward"
	"github.com/ashore/ashore/internal/hint"
)

// openUpstreams creates the endpoints to which calls are forwarded. The operator's
// credentials must exist at the start. They may change later.
func (s *Server) openUpstreams() ([]*forward.Upstream, error) {
	var all []*forward.Upstream
	for _, spec := range s.cfg.Forwards {
		source := forward.Environment(os.Getenv)
		if spec.Profile != "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, fmt.Errorf("the profile %s: %w", spec.Profile, err)
			}
			source = forward.Profile(awsprofile.FilesOf(os.Getenv, home).Credentials, spec.Profile)
		}
		c, err := source()
		if err != nil {
			return nil, hint.With(fmt.Errorf("forward %s: %w", spec.Service, err), "name a profile of the AWS tools' file of credentials, such as --forward %s=%s,profile=NAME", spec.Service, spec.URL)
		}
		if c.AccessKeyID == s.admin.AccessKeyID {
			return nil, hint.With(fmt.Errorf("forward %s: the credentials of the environment are this installation's own", spec.Service), "name those of the endpoint, by ,profile=NAME")
		}
		all = append(all, forward.New(spec, s.store.Site().Region, source, forward.Defaults, s.cfg.Log))
	}
	return all, nil
}
