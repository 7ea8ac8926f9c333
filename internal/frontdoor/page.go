package frontdoor

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page answers a person's browser with a page about this server. The page shows nothing
// of the installation.
func (s *Server) page(w http.ResponseWriter) {
	var b strings.Builder
	if err := pageTemplate.Execute(&b, struct{ Version string }{s.cfg.Version}); err != nil {
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	respond(w, http.StatusOK, []byte(b.String()))
}
