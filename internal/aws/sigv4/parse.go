package sigv4

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// headerWindow is how far the time of a signed header may be off, in either
	// direction.
	headerWindow = 5 * time.Minute
	// queryWindow is the longest validity of a signed query string.
	queryWindow = 15 * time.Minute
)

// claim is what a request states about its signature, before any check.
type claim struct {
	accessKeyID string
	scope       scope
	terminator  string
	at          time.Time
	atText      string
	expires     time.Duration // of a signed query string
	query       bool
	unsigned    bool // the signature doesn't cover the body
	headers     []string
	signature   string
	token       string
}

// Signed says whether a request has a signature, valid or not.
func Signed(r *http.Request) bool {
	return r.Header.Get("Authorization") != "" || inQuery(r)
}

// ScopeOf returns the region and service in a request's signature, without verifying
// it. Both are empty if there is no signature.
func ScopeOf(r *http.Request) (region, service string) {
	c, err := parse(r)
	if err != nil {
		return "", ""
	}
	return c.scope.region, c.scope.service
}

func inQuery(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=") || strings.Contains(r.URL.RawQuery, "X-Amz-Signature=")
}

func parse(r *http.Request) (*claim, error) {
	switch auths := r.Header.Values("Authorization"); {
	case len(auths) > 1:
		return nil, refuse(IncompleteSignature, "The request has more than one Authorization header.")
	case len(auths) == 1:
		return parseHeader(r, auths[0])
	case inQuery(r):
		return parseQuery(r)
	}
	return nil, refuse(MissingAuthenticationToken, "Missing Authentication Token")
}

func parseHeader(r *http.Request, auth string) (*claim, error) {
	alg, rest, _ := strings.Cut(strings.TrimSpace(auth), " ")
	if alg != algorithm {
		if strings.HasPrefix(alg, "AWS") {
			return nil, refuse(IncompleteSignature, "Unsupported signing algorithm '%.40s'; only %s is served.", alg, algorithm)
		}
		return nil, refuse(MissingAuthenticationToken, "Missing Authentication Token: the Authorization header must be an %s signature", algorithm)
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return nil, refuse(IncompleteSignature, "'%.80s' not a valid key=value pair (missing equal-sign) in Authorization header.", k)
		}
		params[k] = v
	}
	c := &claim{signature: params["Signature"], token: r.Header.Get("X-Amz-Security-Token")}
	var missing []string
	for _, k := range []string{"Credential", "Signature", "SignedHeaders"} {
		if params[k] == "" {
			missing = append(missing, "Authorization header requires '"+k+"' parameter.")
		}
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		if d := r.Header.Get("Date"); d != "" {
			at, err := http.ParseTime(d)
			if err != nil {
				return nil, refuse(IncompleteSignature, "Date must be in ISO-8601 'basic format', in X-Amz-Date. Got '%.80s'.", d)
			}
			date = at.UTC().Format(timeFormat)
		} else {
			missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
		}
	}
	if len(missing) > 0 {
		return nil, refuse(IncompleteSignature, "%s", strings.Join(missing, " "))
	}
	c.headers = strings.Split(params["SignedHeaders"], ";")
	return c, c.complete(params["Credential"], date)
}

func parseQuery(r *http.Request) (*claim, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(IncompleteSignature, "The query string is malformed.")
	}
	var missing []string
	if len(q["X-Amz-Security-Token"]) > 1 {
		return nil, refuse(IncompleteSignature, "AWS query-string parameter 'X-Amz-Security-Token' is there more than once.")
	}
	for _, k := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if len(q[k]) > 1 {
			return nil, refuse(IncompleteSignature, "AWS query-string parameter '%s' is there more than once.", k)
		}
		if q.Get(k) == "" {
			missing = append(missing, "AWS query-string parameters must include '"+k+"'.")
		}
	}
	if len(missing) > 0 {
		return nil, refuse(IncompleteSignature, "%s", strings.Join(missing, " "))
	}
	if alg := q.Get("X-Amz-Algorithm"); alg != algorithm {
		return nil, refuse(IncompleteSignature, "Unsupported signing algorithm '%.40s'; only %s is served.", alg, algorithm)
	}
	c := &claim{
		query: true, signature: q.Get("X-Amz-Signature"), headers: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"),
		token: q.Get("X-Amz-Security-Token"), expires: queryWindow,
	}
	if c.token == "" { // some clients put it into a header nevertheless
		c.token = r.Header.Get("X-Amz-Security-Token")
	}
	if e := q.Get("X-Amz-Expires"); e != "" {
		n, err := strconv.ParseUint(e, 10, 31)
		if err != nil {
			return nil, refuse(IncompleteSignature, "X-Amz-Expires must be a number of seconds, not '%.40s'.", e)
		}
		c.expires = min(queryWindow, time.Duration(n)*time.Second)
	}
	return c, c.complete(q.Get("X-Amz-Credential"), q.Get("X-Amz-Date"))
}

// complete parses the credential and the date.
func (c *claim) complete(credential, date string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[0] == "" {
		return refuse(IncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%.120s'.", credential)
	}
	at, err := time.Parse(timeFormat, date)
	if err != nil {
		return refuse(IncompleteSignature, "Date must be in ISO-8601 'basic format'. Got '%.80s'.", date)
	}
	c.accessKeyID, c.scope, c.terminator = parts[0], scope{parts[1], parts[2], parts[3]}, parts[4]
	c.at, c.atText = at, date
	return nil
}
