// Package forward forwards calls for a service that isn't served here to an endpoint
// that the operator names: an object store, an emulator, or AWS itself.
//
//	client ─ signed by its key here ─ front door: verified, authorized
//	                                      │
//	   upstream ◄─ signed anew by the operator's credentials, bodies as they stream
//
// The caller learns nothing of the operator's credentials. Only the parts of a body
// that are on their way are in memory. Each part of a call has a deadline. A call ends
// when its caller ends it.
package forward

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// A Spec is one service that is forwarded.
type Spec struct {
	Service string   // the signing name of its calls: "s3"
	URL     *url.URL // the endpoint's scheme and host
	Profile string   // name of the operator's profile; empty for the environment's credentials
	Region  string   // for the endpoint's signature; empty for the installation's region
}

// Example is an example of a spec's text.
const Example = "s3=https://s3.eu-west-1.amazonaws.com,profile=store,region=eu-west-1"

var names = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)

// Parse parses SERVICE=URL[,profile=NAME][,region=NAME].
func Parse(text string) (Spec, error) {
	parts := strings.Split(text, ",")
	service, endpoint, ok := strings.Cut(parts[0], "=")
	if !ok || !names.MatchString(service) {
		return Spec{}, fmt.Errorf("%q does not begin with the signing name of a service and =", text)
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return Spec{}, errors.New("the endpoint of " + service + " is not a URL") // url.Parse's error would quote the whole text
	case u.User != nil:
		return Spec{}, errors.New("the URL of " + service + " must not have a user: credentials are named by profile=")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return Spec{}, fmt.Errorf("the endpoint of %s must be http://HOST or https://HOST, not %q", service, endpoint)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return Spec{}, fmt.Errorf("the endpoint of %s must have no path and no query: %q", service, endpoint)
	}
	s := Spec{Service: service, URL: &url.URL{Scheme: u.Scheme, Host: u.Host}}
	for _, p := range parts[1:] {
		switch k, v, _ := strings.Cut(p, "="); {
		case k == "profile" && v != "" && s.Profile == "":
			s.Profile = v
		case k == "region" && names.MatchString(v) && s.Region == "":
			s.Region = v
		default:
			return Spec{}, fmt.Errorf("%q of %s is neither profile=NAME nor region=NAME", p, service)
		}
	}
	return s, nil
}
