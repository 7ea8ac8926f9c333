package frontdoor

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// An agent behind a proxy with TLS gets https endpoints for its sessions, because it
// asked over https.
func TestAProxysSchemeIsTheClients(t *testing.T) {
	d := open(t)
	var caller Caller
	d.ecs.list = func(ctx context.Context, _ *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		caller = CallerFrom(ctx)
		return &ecs.ListTasksOutput{}, nil
	}
	for forwarded, want := range map[string]string{"": "http", "http": "http", "https": "https", "HTTPS , http": "https", "http, https": "http", "gopher": "http"} {
		r := d.signed(t, "ecs", "POST", "/", `{}`, call("ListTasks")...)
		if forwarded != "" {
			r.Header.Set("X-Forwarded-Proto", forwarded) // the proxy adds it, so it is not signed
		}
		if res, body := d.do(t, r); res.StatusCode != 200 {
			t.Fatalf("%s: %s", res.Status, body)
		}
		if want += "://" + r.URL.Host; caller.Endpoint != want {
			t.Errorf("%q: endpoint %s, want %s", forwarded, caller.Endpoint, want)
		}
	}
}
