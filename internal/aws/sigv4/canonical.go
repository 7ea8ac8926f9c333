package sigv4

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A canonical has the parts of a canonical request. uri and host are separate, because
// clients differ in them.
type canonical struct {
	method  string
	query   string
	headers []string // the signed ones, in order; host's value is set later
	values  map[string]string
	payload string
}

func (c *canonical) text(uri, host string) string {
	var b strings.Builder
	b.Grow(512)
	b.WriteString(c.method + "\n" + uri + "\n" + c.query + "\n")
	for _, h := range c.headers {
		v := c.values[h]
		if h == "host" {
			v = host
		}
		b.WriteString(h + ":" + v + "\n")
	}
	b.WriteString("\n" + strings.Join(c.headers, ";") + "\n" + c.payload)
	return b.String()
}

// headerValue returns the canonical value of a header of r: each value trimmed, spaces
// collapsed, values joined by commas.
func headerValue(r *http.Request, name string) string {
	if name == "content-length" && r.Header.Get("Content-Length") == "" && r.ContentLength >= 0 {
		return strconv.FormatInt(r.ContentLength, 10)
	}
	if name == "transfer-encoding" { // net/http removes it from the headers
		return strings.Join(r.TransferEncoding, ",")
	}
	values := r.Header.Values(name)
	if len(values) == 1 && !strings.Contains(values[0], "  ") {
		return strings.TrimSpace(values[0])
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r == ' ' }), " ")
	}
	return strings.Join(trimmed, ",")
}

// uris returns the forms in which clients sign a path. It is the escaped path, escaped
// once more, and for some clients with "//", "." and ".." resolved first. S3's clients
// escape once and resolve nothing.
func uris(u *url.URL, service string) []string {
	p := u.EscapedPath()
	if p == "" {
		p = "/"
	}
	if p == "/" {
		return []string{p}
	}
	if strings.HasPrefix(service, "s3") {
		// The path that the client sent, and the path that AWS's clients would have
		// sent.
		return distinct(p, escape(u.Path, true))
	}
	forms := []string{escape(p, true)}
	if clean := path.Clean(p); clean != p {
		if strings.HasSuffix(p, "/") && clean != "/" {
			clean += "/"
		}
		forms = append(forms, escape(clean, true))
	}
	return distinct(forms...)
}

// hosts returns the forms in which clients sign the host: some leave out the scheme's
// default port in the header or in the signature.
func hosts(r *http.Request) []string {
	h := r.Host
	if h == "" && r.URL != nil {
		h = r.URL.Host
	}
	bare := strings.TrimSuffix(h, ":80")
	if r.TLS != nil {
		bare = strings.TrimSuffix(h, ":443")
	}
	return distinct(h, bare, strings.ToLower(h))
}

func distinct(s ...string) []string {
	var d []string
	for _, v := range s {
		if !slices.Contains(d, v) {
			d = append(d, v)
		}
	}
	return d
}

// canonicalQuery sorts and escapes a raw query without the signature.
func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	type pair struct{ k, v string }
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		if k == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, pair{escape(unescape(k), false), escape(unescape(v), false)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.k, b.k); c != 0 {
			return c
		}
		return strings.Compare(a.v, b.v)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.k + "=" + p.v)
	}
	return b.String()
}

// unescape decodes percent encoding. It leaves malformed text unchanged.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// EscapePath returns a path in the form in which AWS's clients send and sign it.
func EscapePath(path string) string { return escape(path, true) }

// escape returns s in AWS's percent encoding: all but letters, digits and "-_.~", and
// slashes if keepSlash is set.
func escape(s string, keepSlash bool) string {
	const hexDigits = "0123456789ABCDEF"
	plain := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '_' || c == '.' || c == '~' || keepSlash && c == '/'
	}
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}
