package identity

import (
	"errors"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// A decision has a reason for the log, and AWS's message for the caller.
func TestDecisionsHaveReasons(t *testing.T) {
	st, _ := open(t)
	h := Principal{Kind: Host, Name: "h", ARN: HostARN(site, "h")}
	put(t, st, store.HostKey("h"), &fleet.Host{Name: "h", Principal: h.ARN, HostTerms: fleet.HostTerms{Assigned: "default"}, Cluster: "c", Instance: "i"})
	put(t, st, store.InstanceKey("c", "i"), &fleet.Instance{Cluster: "c", ID: "i", Principal: h.ARN})
	put(t, st, store.TaskKey("c", "t"), &fleet.Task{Cluster: "c", ID: "t", Instance: "i"})
	const user = "User: arn:aws:iam::000000000000:user/host/h is not authorized to perform: "
	for _, x := range []struct {
		name     string
		caller   Principal
		action   string
		resource string
		context  []string
		reason   string
		message  string // empty if it is allowed
	}{
		{"allowed", h, "ecs:SubmitTaskStateChange", site.TaskARN("c", "t"), nil, "AshoreHost/OwnTask allows", ""},
		{"the administrator", Principal{Kind: Admin}, "ecs:StopTask", site.TaskARN("c", "t"), nil, "AshoreAdministrator/Everything allows", ""},
		{"nothing allows it", h, "ecs:StopTask", site.TaskARN("c", "t"), nil, "no policy allows",
			user + "ecs:StopTask on resource: arn:aws:ecs:us-east-1:000000000000:task/c/t because no identity-based policy allows the ecs:StopTask action"},
		{"of no resource", h, "ecs:ListClusters", "*", nil, "no policy allows", user + "ecs:ListClusters on resource: * because no identity-based policy allows the ecs:ListClusters action"},
		{"a denial", h, "ecs:SubmitTaskStateChange", site.TaskARN("c", "t"), []string{KeyAnotherAgent, "true"}, "AshoreHost/AnotherAgent denies",
			user + "ecs:SubmitTaskStateChange on resource: arn:aws:ecs:us-east-1:000000000000:task/c/t with an explicit deny in an identity-based policy: another agent is connected as its container instance"},
		{"no other agent", h, "ecs:SubmitTaskStateChange", site.TaskARN("c", "t"), []string{KeyAnotherAgent, "false"}, "AshoreHost/OwnTask allows", ""},
		{"a cluster like others", h, "ecs:CreateCluster", site.ClusterARN("default"), []string{KeyNameOnly, "true"}, "AshoreHost/DefaultCluster allows", ""},
		{"a cluster of its own kind", h, "ecs:CreateCluster", site.ClusterARN("default"), []string{KeyNameOnly, "false"}, "no policy allows: a host makes a cluster by its name alone",
			user + "ecs:CreateCluster on resource: arn:aws:ecs:us-east-1:000000000000:cluster/default because a host makes a cluster by its name alone"},
	} {
		d, err := NewAuthorizer(st).Authorize(t.Context(), Request{Caller: x.caller, Action: x.action, Resources: []string{x.resource}, Context: func(key string) []string {
			if len(x.context) > 0 && x.context[0] == key {
				return x.context[1:]
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		var message string
		if denied, ok := errors.AsType[*Denied](d.Err()); ok {
			message = denied.Message
		}
		if d.Reason() != x.reason || message != x.message || d.Allowed != (x.message == "") || d.Resource != x.resource {
			t.Errorf("%s: %s\n\t%s", x.name, d.Reason(), message)
		}
	}
	var none Decision
	if none.Err() == nil {
		t.Error("no decision allows")
	}
}

// A transaction decides by its own snapshot.
func TestDecideBySnapshot(t *testing.T) {
	st, _ := open(t)
	a, h := NewAuthorizer(st), Principal{Kind: Host, Name: "h", ARN: HostARN(site, "h")}
	put(t, st, store.InstanceKey("c", "i"), &fleet.Instance{Cluster: "c", ID: "i", Principal: h.ARN})
	before := st.Snapshot()
	put(t, st, store.InstanceKey("c", "i"), &fleet.Instance{Cluster: "c", ID: "i", Principal: "another"})
	r := Request{Caller: h, Action: "ecs:Poll", Resources: []string{site.InstanceARN("c", "i")}}
	if d, err := a.Decide(before, r); err != nil || !d.Allowed {
		t.Error(d.Reason(), err)
	}
	if d, err := a.Decide(st.Snapshot(), r); err != nil || d.Allowed {
		t.Error(d.Reason(), err)
	}
}

// An allowed request costs no more than the evaluation.
func BenchmarkAuthorize(b *testing.B) {
	st, _ := open(b)
	a, h := NewAuthorizer(st), Principal{Kind: Host, Name: "h", ARN: HostARN(site, "h")}
	put(b, st, store.InstanceKey("c", "i"), &fleet.Instance{Cluster: "c", ID: "i", Principal: h.ARN})
	put(b, st, store.TaskKey("c", "t"), &fleet.Task{Cluster: "c", ID: "t", Instance: "i"})
	for _, x := range []struct {
		name string
		Request
	}{
		{"host", Request{Caller: h, Action: "ecs:SubmitTaskStateChange", Resources: []string{site.TaskARN("c", "t")}}},
		{"administrator", Request{Caller: Principal{Kind: Admin}, Action: "ecs:RunTask", Resources: []string{site.ClusterARN("c")}}},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, err := a.Authorize(b.Context(), x.Request); err != nil || !d.Allowed {
					b.Fatal(d.Reason(), err)
				}
			}
		})
	}
}
