package reaper

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Due is what can be deleted.
type Due struct {
	Tasks  []Task
	Tokens []Token
	// Clusters and Providers were deleted by a call.
	Clusters  []Cluster
	Providers []Provider
	// Instances are deregistered ones. Ended are those that became INACTIVE since the
	// last run: their age counts from now, and most members of their records are
	// removed.
	Instances, Ended []Instance
	// Revisions are task definitions that are being deleted; see isUnused.
	Revisions []Revision
	// Services have records that are due.
	Services []Service
	// Failed are items that could not be checked.
	Failed []Failed
}

// Failed is an item that was left out, and why.
type Failed struct {
	What string
	Err  error
}

// The names of what can be deleted.
type (
	Cluster  struct{ Name string }
	Provider struct{ Name string }
	Instance struct{ Cluster, ID string }
	Task     struct{ Cluster, ID string }
	Token    struct{ Cluster, Hash string }
	Service  struct{ Cluster, Name string }
	Revision struct{ fleet.TaskDefinitionRef }
)

func (c Cluster) String() string  { return "cluster " + c.Name }
func (p Provider) String() string { return "capacity provider " + p.Name }
func (i Instance) String() string { return "container instance " + i.Cluster + "/" + i.ID }
func (t Task) String() string     { return "task " + t.Cluster + "/" + t.ID }
func (t Token) String() string    { return "client token " + t.Cluster + "/" + t.Hash }
func (s Service) String() string  { return "service " + s.Cluster + "/" + s.Name }
func (r Revision) String() string { return fmt.Sprintf("task definition %s:%d", r.Family, r.Revision) }

// Find returns what is due at a time. Of each cluster these are the tasks that
// stopped longer ago than the limit, and those beyond the limit of their number,
// starting with the ones whose end was reported first.
func (l Limits) Find(snap *store.Snapshot, now time.Time) Due {
	f := &finder{l, snap, now, Due{}}
	for name, c := range snap.Clusters("") {
		addIfDue(f, Cluster{name}, &f.Clusters, func() bool { return l.clusterExpired(c, now) && isEmpty(snap, name) })
	}
	for name, p := range snap.CapacityProviders("") {
		addIfDue(f, Provider{name}, &f.Providers, func() bool { return l.providerExpired(p, now) })
	}
	for cluster := range snap.Clusters("") {
		f.findTokens(cluster)
		f.findInstances(cluster)
		for svc := range snap.Services(cluster, "") {
			addIfDue(f, Service{cluster, svc.Name}, &f.Services, func() bool { return len(l.expiredRecords(snap, svc, now)) > 0 })
		}
		f.findTasks(cluster)
	}
	for r := range snap.Revisions(types.TaskDefinitionStatusDeleteInProgress, "", fleet.TaskDefinitionRef{}) {
		addIfDue(f, Revision{r}, &f.Revisions, func() bool { return isUnused(snap, r) })
	}
	return f.Due
}

// finder is the work of one Find.
type finder struct {
	Limits
	snap *store.Snapshot
	now  time.Time
	Due
}

// addIfDue adds an item to a list if it is due. If the check panics, the item is
// added to Failed.
func addIfDue[T fmt.Stringer](f *finder, item T, list *[]T, due func() bool) {
	err := contain.Do(func() error {
		if due() {
			*list = append(*list, item)
		}
		return nil
	})
	if err != nil {
		f.Failed = append(f.Failed, Failed{item.String(), err})
	}
}

func (f *finder) findTokens(cluster string) {
	for hash, t := range f.snap.Tokens(cluster) {
		addIfDue(f, Token{cluster, hash}, &f.Tokens, func() bool {
			age := f.TokenAge
			if len(t.Tasks) == 0 {
				age = min(age, emptyTokenAge)
			}
			return f.now.Sub(t.CreatedAt) > age
		})
	}
}

// maxFormerInstances is how many deregistered instances of one host are retained.
const maxFormerInstances = 20

// findInstances finds a cluster's deregistered instances: those whose age counts from
// now, those whose time is over, and the oldest of a host that has been too many
// instances.
func (f *finder) findInstances(cluster string) {
	hosts := map[string][]*fleet.Instance{}
	for i := range f.snap.Instances(cluster, "") {
		if i.Status != fleet.InstanceInactive {
			continue
		}
		item := Instance{cluster, i.ID}
		begins := false
		addIfDue(f, item, &f.Ended, func() bool {
			begins = i.InactiveSince.IsZero() || !i.IsFormer() // records from earlier versions still have all their members
			return begins
		})
		addIfDue(f, item, &f.Instances, func() bool {
			over := !begins && f.now.Sub(i.InactiveSince) > f.DeletedAge
			if !begins && !over && i.Principal != "" {
				hosts[i.Principal] = append(hosts[i.Principal], i)
			}
			return over
		})
	}
	for _, former := range hosts {
		if len(former) <= maxFormerInstances {
			continue
		}
		slices.SortFunc(former, func(a, b *fleet.Instance) int {
			return cmp.Or(b.InactiveSince.Compare(a.InactiveSince), b.RegisteredAt.Compare(a.RegisteredAt))
		})
		for _, i := range former[maxFormerInstances:] {
			f.Instances = append(f.Instances, Instance{cluster, i.ID})
		}
	}
}

func (f *finder) findTasks(cluster string) {
	if f.snap.Counts(cluster).Stopped == 0 {
		return
	}
	type stopped struct {
		task Task
		rev  int64 // store's revision of the report; it gives the order of ends, which clocks do not
		due  bool
	}
	var all []stopped
	for t := range f.snap.Tasks(cluster, "") {
		item := Task{cluster, t.ID}
		var due bool
		var ends []Task
		addIfDue(f, item, &ends, func() bool {
			over := t.Status() == fleet.TaskStopped
			due = over && f.now.Sub(endedAt(t)) > f.StoppedAge
			return over
		})
		if len(ends) > 0 {
			all = append(all, stopped{item, f.snap.Reported(cluster, t.ID), due})
		}
	}
	slices.SortFunc(all, func(a, b stopped) int { return int(b.rev - a.rev) })
	for i, t := range all {
		if t.due || i >= f.Stopped {
			f.Tasks = append(f.Tasks, t.task)
		}
	}
}

func endedAt(t *fleet.TaskState) time.Time {
	for _, at := range []time.Time{t.Report.StoppedAt, t.Report.ExecutionStoppedAt, t.Report.StoppingAt} {
		if !at.IsZero() {
			return at
		}
	}
	return t.CreatedAt
}
