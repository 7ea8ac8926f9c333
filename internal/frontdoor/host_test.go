package frontdoor

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/aws/sigv4"
)

// A stranger's page whose host name resolves to this server gets nothing from a
// browser. A signed call may come by any name, because its signature covers the name
// that it meant.
func TestHosts(t *testing.T) {
	d := open(t, func(c *Config, _ *door) { c.Names = []string{"ecs.example.com"} })
	port := d.URL[strings.LastIndexByte(d.URL, ':'):]
	for host, known := range map[string]bool{
		"127.0.0.1" + port: true, "localhost" + port: true, "LocalHost." + port: true, "[::1]" + port: true, "x.localhost": true, "192.0.2.7:4700": true, "": true,
		"ecs.example.com": true, "ECS.example.com:443": true,
		"evil.example": false, "evil.example" + port: false, "127.0.0.1.evil.example" + port: false, "localhost.evil.example": false,
		"ecs.example.com.evil.example": false, "not ecs.example.com": false,
	} {
		for _, r := range []*http.Request{
			d.unsigned(t, "GET", "/", ""), d.unsigned(t, "GET", "/?x=y", ""), d.unsigned(t, "POST", "/", "{}", call("ListTasks")...),
			d.unsigned(t, "GET", "/acs/ws", ""), d.unsigned(t, "OPTIONS", "/", ""),
		} {
			r.Host = host
			if host == "" || strings.Contains(host, " ") {
				continue // Go's client can't send these
			}
			res, body := d.do(t, r)
			if refused := res.StatusCode == http.StatusMisdirectedRequest; refused == known {
				t.Errorf("%s %s by the name %q: %s %s", r.Method, r.URL.Path, host, res.Status, body)
			}
			if !known && strings.Contains(body, "Ashore") && strings.Contains(body, "<html") {
				t.Errorf("%s: the page is shown", host)
			}
		}
		if got := d.front.isKnownName(host); got != known {
			t.Errorf("%q is known: %v", host, got)
		}
	}
	res, body := d.do(t, d.as("evil.example", d.unsigned(t, "GET", "/", "")))
	if res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.Contains(body, "--served-as") {
		t.Errorf("the refusal: %s %s", res.Header.Get("Content-Type"), body)
	}
	// A load balancer may ask by any name.
	if res, _ := d.do(t, d.as("evil.example", d.unsigned(t, "GET", "/healthz", ""))); res.StatusCode != 200 {
		t.Errorf("healthz: %s", res.Status)
	}
	signed := d.as("proxy.example", d.unsigned(t, "POST", "/", "{}", call("ListTasks")...))
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "ecs"}.Sign(signed, []byte("{}"))
	if res, body := d.do(t, signed); res.StatusCode != 200 {
		t.Errorf("signed: %s %s", res.Status, body)
	}
	// Only a browser names the page that sends a request.
	for _, h := range []string{"Origin", "Sec-Fetch-Site"} {
		r := signed.Clone(t.Context())
		r.Body = http.NoBody
		r.Header.Set(h, "https://evil.example")
		if res, _ := d.do(t, r); res.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("signed, with %s: %s", h, res.Status)
		}
	}
}

func (d *door) as(host string, r *http.Request) *http.Request {
	r.Host = host
	return r
}
