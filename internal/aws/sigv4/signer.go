package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Signer signs requests by headers: API calls, websocket upgrades, and the frames of
// a telemetry connection.
type Signer struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // sent and signed if it is not empty
	Region          string
	Service         string
	// Now returns the time for the signature, corrected by the server's clock if the
	// difference is known. nil means time.Now.
	Now func() time.Time
	// Keys caches the signing key; nil means no cache.
	Keys *Keys
}

// Sign sets X-Amz-Date, X-Amz-Security-Token and Authorization of r, whose body is
// body. The signature covers the host, the content type and every X-Amz header, so Sign
// must be called last. If X-Amz-Content-Sha256 is set, it is used as the payload's
// hash.
//
// A frame of a telemetry connection is signed as a GET of its upgrade's URL, with the
// frame as body. The two headers then go into the frame.
func (s Signer) Sign(r *http.Request, body []byte) {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	at := now().UTC().Truncate(time.Second)
	r.Header.Del("Authorization")
	if s.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", s.SessionToken)
	}
	r.Header.Set("X-Amz-Date", at.Format(timeFormat))
	can := canonical{method: r.Method, query: canonicalQuery(r.URL.RawQuery), headers: []string{"host"}, values: map[string]string{}}
	if can.payload = r.Header.Get("X-Amz-Content-Sha256"); can.payload == "" {
		can.payload = payloadHash(body)
	}
	for name := range r.Header {
		if l := strings.ToLower(name); l == "content-type" || strings.HasPrefix(l, "x-amz-") && l != "x-amz-user-agent" {
			can.headers = append(can.headers, l)
			can.values[l] = headerValue(r, name)
		}
	}
	slices.Sort(can.headers)
	sc := scope{at.Format(dateFormat), s.Region, s.Service}
	var key []byte
	if s.Keys != nil {
		key = s.Keys.of(s.SecretAccessKey, sc)
	} else {
		key = signingKey(s.SecretAccessKey, sc)
	}
	sig := signature(key, at, sc, can.text(uris(r.URL, s.Service)[0], signingHost(r)))
	r.Header.Set("Authorization", algorithm+" Credential="+s.AccessKeyID+"/"+sc.String()+
		", SignedHeaders="+strings.Join(can.headers, ";")+", Signature="+sig)
}

// signingHost returns the host as net/http will send it.
func signingHost(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}
