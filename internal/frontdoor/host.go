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

// A browser believes that a page and this server belong together where they have
// one name, and a name's owner can make it lead here (DNS rebinding). So what a
// browser could send is answered under known names only: addresses, which nobody
// can redirect, localhost, and those that were configured. A signed call says by
// its signature which name its sender meant, and comes by any: a proxy's or a
// tunnel's.

// acceptsName says whether a request is answered under the name that it asks for.
func (s *Server) acceptsName(r *http.Request) bool {
	return sigv4.Signed(r) && !fromPage(r) || s.isKnownName(r.Host)
}

// fromPage says whether a browser sends the request for a page.
func fromPage(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// isKnownName says whether host, with a port or without, is a name that leads here. No
// browser leaves it out.
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

// refuseName refuses a request by a name that is not known.
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

// maxHost is how much of a name is repeated: no DNS name is longer, in bytes.
const maxHost = 255
