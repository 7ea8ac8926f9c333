package server

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/rights.txt anew")

// caller signs calls with a key.
type caller struct {
	t    *testing.T
	at   string
	name string
	key  identity.Credentials
}

// isAllowed makes a call and says whether it was allowed, whatever else is wrong with it.
func (c caller) isAllowed(method, path, service, target string, in any) (allowed bool, body string) {
	c.t.Helper()
	doc, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	if method == http.MethodGet {
		doc = nil
	}
	for {
		ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
		defer cancel() // this ends a stream
		r, err := http.NewRequestWithContext(ctx, method, c.at+path, bytes.NewReader(doc))
		if err != nil {
			c.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		sigv4.Signer{AccessKeyID: c.key.AccessKeyID, SecretAccessKey: c.key.SecretAccessKey, Region: "us-east-1", Service: service}.Sign(r, doc)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			c.t.Fatal(err)
		}
		if strings.HasSuffix(target, ".StreamEvents") && res.StatusCode == http.StatusOK {
			return true, "a stream" // it would go on
		}
		b, err := io.ReadAll(res.Body)
		if err := res.Body.Close(); err != nil {
			c.t.Fatal(err)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if strings.Contains(string(b), `"ThrottlingException"`) {
			continue
		}
		return !strings.Contains(string(b), "AccessDenied"), string(b)
	}
}

// extra are members that operations need besides their resources.
var extra = map[string]map[string]any{
	"RegisterContainerInstance":     {"totalResources": []any{map[string]any{"name": "CPU", "type": "INTEGER", "integerValue": 1}}},
	"UpdateContainerInstancesState": {"status": "ACTIVE"},
	"SubmitTaskStateChange":         {"status": "RUNNING"},
	"SubmitContainerStateChange":    {"status": "RUNNING", "containerName": "main"},
	"RunTask":                       {"count": 0},
	"PutAccountSetting":             {"name": "containerInsights", "value": "enabled"},
	"PutAccountSettingDefault":      {"name": "containerInsights", "value": "enabled"},
	"DeleteAccountSetting":          {"name": "containerInsights"},
}

// about names the same resources with all the member names that operations use.
func about(cluster, instance, task, resource string) map[string]any {
	m := map[string]any{}
	set := func(v string, one, many []string) {
		if v == "" {
			return
		}
		for _, k := range one {
			m[k] = v
		}
		for _, k := range many {
			m[k] = []string{v}
		}
	}
	set(cluster, []string{"cluster", "clusterName"}, []string{"clusters"})
	set(instance, []string{"containerInstance", "containerInstanceArn"}, []string{"containerInstances"})
	set(task, []string{"task"}, []string{"tasks"})
	set(resource, []string{"resourceArn", "serviceDeploymentArn", "what"}, []string{"serviceDeploymentArns", "serviceRevisionArns"})
	return m
}

func with(m map[string]any, more map[string]any) map[string]any {
	out := maps.Clone(m)
	maps.Copy(out, more)
	return out
}

// The permissions of each principal, operation by operation, on its own resources and
// on others'. They are the same as when the code asked for two kinds of principals.
// Only a call that is refused as AccessDenied… is forbidden.
func TestRights(t *testing.T) {
	cfg := config(t)
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	sealer, err := seal.Open(cfg.SealKey(""), true)
	if err != nil {
		t.Fatal(err)
	}
	site := s.store.Site()
	id := func(n int) string { return strings.Repeat(fmt.Sprint(n), 32) }
	host := func(name, assigned, cluster, instance string) caller {
		t.Helper()
		key, err := identity.CreateHost(t.Context(), s.store, sealer, name, func(h *fleet.Host) { h.Assigned, h.Cluster, h.Instance = assigned, cluster, instance })
		if err != nil {
			t.Fatal(err)
		}
		return caller{t, "http://" + l.Addr().String(), name, key}
	}
	callers := []caller{
		host("mine", "c", "c", id(1)), host("moves", "prod", "c", id(5)), host("new", "default", "", ""), host("old", "", "", ""),
		{t, "http://" + l.Addr().String(), "administrator", s.Admin()},
	}
	other := host("other", "c", "c", id(2))
	seed := func() {
		t.Helper()
		err := s.store.Update(t.Context(), func(tx *store.Tx) error {
			var errs []error
			for _, c := range []string{"c", "prod"} {
				store.Get(tx, store.ClusterKey(c))
				errs = append(errs, store.Put(tx, store.ClusterKey(c), &fleet.Cluster{Name: c, Status: fleet.ClusterActive}))
			}
			for i, owner := range map[string]caller{id(1): callers[0], id(2): other, id(5): callers[1]} {
				store.Get(tx, store.InstanceKey("c", i))
				errs = append(errs, store.Put(tx, store.InstanceKey("c", i), &fleet.Instance{Cluster: "c", ID: i, Status: fleet.InstanceActive, Principal: owner.key.PrincipalARN}))
			}
			for task, instance := range map[string]string{id(3): id(1), id(4): id(2)} {
				store.Get(tx, store.TaskKey("c", task))
				errs = append(errs, store.Put(tx, store.TaskKey("c", task), &fleet.Task{Cluster: "c", ID: task, Instance: instance, Family: "f", Revision: 1}))
			}
			store.Get(tx, store.WaitingTaskKey("c", id(6)))
			errs = append(errs, store.Put(tx, store.WaitingTaskKey("c", id(6)), &fleet.Task{Cluster: "c", ID: id(6), Family: "f", Revision: 1}))
			for _, err := range errs {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	instance, task, cluster := site.InstanceARN, site.TaskARN, site.ClusterARN
	mine := about("c", instance("c", id(1)), task("c", id(3)), task("c", id(3)))
	cases := []struct {
		name string
		in   map[string]any
	}{
		{"its own", mine},
		{"its own instance's tags", about("c", instance("c", id(1)), task("c", id(3)), instance("c", id(1)))},
		{"its own, by short names", about("c", id(1), id(3), cluster("c"))},
		{"another host's", about("c", instance("c", id(2)), task("c", id(4)), instance("c", id(2)))},
		{"another host's task", about("c", id(2), id(4), task("c", id(4)))},
		{"a task that waits", about("c", "", task("c", id(6)), task("c", id(6)))},
		{"what is gone", about("c", instance("c", id(8)), task("c", id(9)), task("c", id(9)))},
		{"another cluster", about("prod", instance("prod", id(1)), task("prod", id(3)), cluster("prod"))},
		{"a cluster alone", about("c", "", "", "")},
		{"the default cluster", about("default", "", "", cluster("default"))},
		{"the default cluster, with tags", with(about("default", "", "", ""), map[string]any{"tags": []any{map[string]any{"key": "a", "value": "b"}}})},
		{"a cluster, with tags", with(about("c", "", "", ""), map[string]any{"tags": []any{map[string]any{"key": "a", "value": "b"}}})},
		{"the default cluster, with settings", with(about("default", "", "", ""), map[string]any{"settings": []any{map[string]any{"name": "containerInsights", "value": "enabled"}}})},
		{"another region's", about("arn:aws:ecs:eu-west-1:000000000000:cluster/c", "arn:aws:ecs:eu-west-1:000000000000:container-instance/c/"+id(1), "arn:aws:ecs:eu-west-1:000000000000:task/c/"+id(3), "arn:aws:ecs:eu-west-1:000000000000:task/c/"+id(3))},
		{"stars", about("*", "*", "*", "*")},
		{"nothing", map[string]any{}},
		{"other's settings", map[string]any{"principalArn": other.key.PrincipalARN}},
	}
	type operation struct{ service, target, name string }
	var operations []operation
	for _, svc := range s.services.declared() {
		for _, name := range slices.Sorted(maps.Keys(svc.Operations)) {
			operations = append(operations, operation{svc.Model.SigningName, svc.Model.Shape + "." + name, name})
		}
	}
	var got strings.Builder
	for _, c := range callers {
		for _, op := range operations {
			seed()
			var may, not []string
			for _, x := range cases {
				allowed, body := c.isAllowed(http.MethodPost, "/", op.service, op.target, with(x.in, extra[op.name]))
				if allowed {
					may = append(may, x.name)
				} else {
					not = append(not, x.name)
				}
				t.Logf("%s %s %s: %v %.300s", c.name, op.name, x.name, allowed, body)
			}
			fmt.Fprintf(&got, "%s %s:%s%s\n", c.name, op.service, op.name, rights(may, not))
		}
		for _, path := range []string{"/acs/ws", "/tcs/ws"} {
			seed()
			var may, not []string
			for _, x := range cases {
				text := func(k string) string { v, _ := x.in[k].(string); return v }
				q := url.Values{"clusterArn": {text("cluster")}, "cluster": {text("cluster")}, "containerInstanceArn": {text("containerInstance")}, "containerInstance": {text("containerInstance")}}
				allowed, body := c.isAllowed(http.MethodGet, path+"?"+q.Encode(), "ecs", "", nil)
				if allowed {
					may = append(may, x.name)
				} else {
					not = append(not, x.name)
				}
				t.Logf("%s %s %s: %v %.300s", c.name, path, x.name, allowed, body)
			}
			fmt.Fprintf(&got, "%s %s%s\n", c.name, path, rights(may, not))
		}
	}
	golden := filepath.Join("testdata", "rights.txt")
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	had := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(had) || had[i] != line {
			t.Errorf("it is\n\t%s\nand was\n\t%s", line, had[min(i, len(had)-1)])
		}
	}
}

func rights(may, not []string) string {
	switch {
	case len(not) == 0:
		return " may"
	case len(may) == 0:
		return " may not"
	}
	return "\n\tmay on " + strings.Join(may, "; ") + "\n\tmay not on " + strings.Join(not, "; ")
}
