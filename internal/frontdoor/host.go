package frontdoor

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/sigv4"
)

// A browser trusts a page to call this server if both have the same host name, and the
// owner of a name can make it resolve to this server (DNS rebinding). So requests that
// a browser could send are answered only under known names: addresses, which no one can
// redirect, localhost, and the configured names. A signed call is accepted under any
// name, such as a proxy's or a tunnel's, because the signature covers the name that the
// sender meant.

// acceptsName says whether a request is answered under the host name that it uses.
func (s *Server) acceptsName(r *http.Request) bool {
	return sigv4.Signed(r) && !fromPage(r) || s.isKnownName(r.Host)
}

// fromPage says whether a page in a browser sends the request.
func fromPage(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// isKnownName says whether host, with or without a port, is a known name. An empty host
// is allowed, because no browser omits it.
func (s *Server) isKnownName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || s.names[name]
}

// refuseName refuses a request with an unknown host name.
func (x *exchange) refuseName() {
	message := fmt.Sprintf("Ashore is not served to browsers under the name %q. Ask for localhost or for an address; `ashore server --served-as NAME` adds a proxy's name.", x.r.Host[:min(len(x.r.Host), maxHost)])
	if isBrowser(x.r) {
		x.err = errors.New("unknown host name")
		h := x.w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		respond(x.w, http.StatusMisdirectedRequest, []byte(message+"\n"))
		return
	}
	x.target = x.s.targetOf(x.r, nil)
	x.answerError(&faultError{fault{Fault: protocol.Fault{Status: http.StatusMisdirectedRequest, Code: "MisdirectedRequestException", Message: message}}})
}

// maxHost is how many bytes of a host name the refusal repeats. No DNS name is longer.
const maxHost = 255
