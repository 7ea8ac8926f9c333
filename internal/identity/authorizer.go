package identity

import (
	"context"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/iam"
	"github.com/ashore/ashore/internal/store"
)

// Authorizer decides whether a principal may make a request. It uses the principal's
// policies and the store's records of the resources.
type Authorizer struct {
	store   *store.Store
	managed managed // constant
}

// NewAuthorizer returns an Authorizer that reads st.
func NewAuthorizer(st *store.Store) *Authorizer {
	return &Authorizer{st, newManaged(st.Site())}
}

// Authorize decides by the newest snapshot. Before it denies it may read a fresh
// snapshot, because another server may have just written a record. An error means that
// it can't decide.
func (a *Authorizer) Authorize(ctx context.Context, r Request) (Decision, error) {
	d, doubtful, err := a.decide(a.store.Snapshot(), r)
	if !doubtful {
		return d, err
	}
	s, err := a.store.Fresh(ctx)
	if err != nil {
		return Decision{}, err
	}
	return a.Decide(s, r)
}

// Fresh returns the newest state, with every write of any server before the call.
func (a *Authorizer) Fresh(ctx context.Context) (*store.Snapshot, error) { return a.store.Fresh(ctx) }

// Decide decides by one snapshot. A transaction that writes a caller's report uses the
// snapshot on which it commits.
func (a *Authorizer) Decide(s *store.Snapshot, r Request) (Decision, error) {
	d, _, err := a.decide(s, r)
	return d, err
}

// decide allows a request if each of its resources is allowed. doubtful says that the
// decision rests on a record that is absent, or that belongs to another principal.
func (a *Authorizer) decide(s *store.Snapshot, r Request) (d Decision, doubtful bool, err error) {
	policies := a.managed[r.Caller.Kind]
	resources := r.Resources
	if len(resources) == 0 {
		resources = noResource
	}
	f := facts{snap: s, site: a.store.Site(), request: &r}
	ask := f.values
	for _, resource := range resources {
		f.resource, f.why = resource, ""
		found := iam.Decide(policies, iam.Request{Action: r.Action, Resource: resource, Context: ask})
		if f.err != nil {
			return Decision{}, true, f.err
		}
		d = Decision{Allowed: found.Allowed, Resource: resource, Policy: found.Policy, Statement: found.Sid, UsedRecords: f.usedRecords}
		if !found.Allowed {
			d.why = f.why
			d.denied = denied(r.Caller, r.Action, d)
			break
		}
	}
	return d, f.doubtful, nil
}

var noResource = []string{"*"}

// facts answers the condition keys of a request, for one resource at a time.
type facts struct {
	snap     *store.Snapshot
	site     fleet.Site
	request  *Request
	resource string

	usedRecords bool   // a condition has read a record
	doubtful    bool   // a record was absent, or another principal's
	why         string // the condition that was not met, as text for a denial
	err         error  // a record can't be read
}

// values returns the values of a condition key.
func (f *facts) values(key string) []string {
	switch key {
	case KeyNamesResource:
		return Bool(f.resource != "*")
	case KeyOwnCluster:
		f.usedRecords = true
		return f.ownCluster()
	case KeyOwnInstance:
		f.usedRecords = true
		return f.ownInstance()
	case KeyOwnTask:
		f.usedRecords = true
		return f.ownTask()
	case "aws:principalarn":
		return []string{f.request.Caller.ARN}
	}
	if name, ok := f.resourceTag(key); ok {
		return f.tagValues(name)
	}
	if f.request.Context == nil {
		return nil
	}
	values := f.request.Context(key)
	if len(values) == 1 {
		switch {
		case key == KeyNameOnly && values[0] == "false":
			f.why = "a host makes a cluster by its name alone"
		case key == KeyAnotherAgent && values[0] == "true":
			f.why = "another agent is connected as its container instance"
		}
	}
	return values
}

// resourceTag returns the name of the tag that a key asks for. ok is false if the key
// asks for no tag of the resource. The key begins with "aws" or with the action's
// service.
func (f *facts) resourceTag(key string) (name string, ok bool) {
	service, name, ok := strings.Cut(key, resourceTag)
	return name, ok && (service == "aws" || strings.HasPrefix(f.request.Action, service+":"))
}

// tagValues returns the values of a tag of the resource.
func (f *facts) tagValues(name string) []string {
	if f.request.Tags == nil || f.resource == "*" {
		return nil
	}
	f.usedRecords = true
	tags, err := f.request.Tags(f.resource)
	if err != nil {
		f.err = err
	}
	return TagValues(tags, name)
}

func (f *facts) ownCluster() []string {
	arn, err := fleet.ParseARN(f.resource)
	if err != nil || arn.Type != "cluster" {
		return nil
	}
	h := f.snap.Host(f.request.Caller.Name)
	if h != nil && h.MayUse(arn.Rest) {
		return yes
	}
	f.doubtful = true
	if h == nil {
		f.err = store.Readable(f.snap, store.HostKey(f.request.Caller.Name))
	} else {
		f.why = "the host " + h.Name + " belongs to the cluster " + h.HomeCluster() +
			". An administrator moves it by `ashore host assign " + h.Name + " --cluster " + arn.Rest + "`."
	}
	return no
}

func (f *facts) ownInstance() []string {
	cluster, id, ok := f.parseMember("container-instance")
	if !ok {
		return nil
	}
	return f.ownsInstance(cluster, id)
}

func (f *facts) ownTask() []string {
	cluster, id, ok := f.parseMember("task")
	if !ok {
		return nil
	}
	t := f.snap.Task(cluster, id)
	if t == nil {
		f.doubtful = true
		f.err = store.Readable(f.snap, store.TaskKey(cluster, id))
		if f.snap.WaitingTask(cluster, id) != nil {
			return no // it belongs to no host yet
		}
		return nil
	}
	if own := f.ownsInstance(cluster, t.Instance); own != nil {
		return own
	}
	return no
}

// ownsInstance says whether the caller owns an instance. It returns nil if there is no
// such instance.
func (f *facts) ownsInstance(cluster, id string) []string {
	i := f.snap.Instance(cluster, id)
	if i != nil && i.Principal == f.request.Caller.ARN {
		return yes
	}
	f.doubtful = true
	if i != nil {
		return no
	}
	f.err = store.Readable(f.snap, store.InstanceKey(cluster, id))
	return nil
}

// parseMember returns the cluster and the id in the resource's long ARN.
func (f *facts) parseMember(typ string) (cluster, id string, ok bool) {
	arn, err := fleet.ParseARN(f.resource)
	if err != nil || arn.Type != typ {
		return "", "", false
	}
	return strings.Cut(arn.Rest, "/")
}
