package store

import (
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
)

// A Moment is one change of one subject at one revision. A subject is a task, a
// container instance, a deployment, or an event of a service. All changes of a subject
// within one transaction are one moment.
type Moment struct {
	// Change names the subject by its cluster and id. For a deployment or a service's
	// event the id is the service.
	Change
	Revision int64     // as Snapshot.Revision counts
	At       time.Time // when this server saw it; other servers see it a little earlier or later
	Was, Is  View
}

// A View is one subject at one revision, together with the records that are shown with
// it. Fields that do not concern the subject are nil.
type View struct {
	Cluster *fleet.Cluster

	Task       *fleet.TaskState // also a task that waits for a host
	Definition *fleet.TaskDefinition

	Instance *fleet.Instance // the task's instance, or the subject itself
	Session  *fleet.InstanceSession
	Usage    *fleet.Usage
	Health   *fleet.InstanceHealth
	// InstanceRevision is the revision of the newest change of the instance, its
	// session or its usage.
	InstanceRevision int64

	Deployment Deployment
	Event      *fleet.ServiceEvent
}

// TaskView returns a task with the records that are shown with it. Its Task is nil if
// there is no such task.
func (s *Snapshot) TaskView(cluster, id string) View { return tab(s).taskView(cluster, id) }

// InstanceView returns an instance with the records that are shown with it. Its
// Instance is nil if there is no such instance.
func (s *Snapshot) InstanceView(cluster, id string) View {
	v := tab(s).instanceView(cluster, id)
	v.InstanceRevision += s.base
	return v
}

func (t *tables) taskView(cluster, id string) View {
	key := cluster + "/" + id
	v := View{}
	if r, ok := t.tasks.Get(key); ok && r.state.Task != nil {
		v.Task = &r.state
	} else if w, _ := t.waiting.get(key); w != nil {
		v.Task = &fleet.TaskState{Task: w}
	} else {
		return v
	}
	v.Definition, _ = recordIn(t, definitions, revisionID(v.Task.Family, v.Task.Revision))
	host := t.hostAt(cluster, v.Task.Instance)
	v.Instance, v.Session = host.instance, host.session
	return v
}

func (t *tables) instanceView(cluster, id string) View {
	r := t.hostAt(cluster, id)
	if r.instance == nil {
		return View{}
	}
	v := View{Instance: r.instance, Session: r.session, Usage: r.usage, Health: r.health, InstanceRevision: r.changed}
	v.Cluster, _ = recordIn(t, clusters, tableKey(cluster))
	return v
}

// touchInstance records the revision of a change of an instance, or of a record that is
// shown with it.
func (t *tables) touchInstance(key member, mod int64) {
	t.updateHost(key, func(r *hostRow) { r.changed = max(r.changed, mod) })
}

// touchHost records that a task has changed the free capacity of its host.
func (t *tables) touchHost(was, is *taskRow, mod int64) {
	if sameUsage(was, is) {
		return
	}
	for _, r := range [...]*taskRow{was, is} {
		if task := taskOf(r); task != nil && task.Instance != "" {
			t.touchInstance(member{task.Cluster, task.Instance}, mod)
		}
	}
}

// sameUsage says whether two rows of a task use the same of its host.
func sameUsage(a, b *taskRow) bool {
	if !isLive(a) && !isLive(b) {
		return true
	}
	if isLive(a) != isLive(b) || taskOf(a) != taskOf(b) {
		return false
	}
	if (a.state.Status() == fleet.TaskRunning) != (b.state.Status() == fleet.TaskRunning) {
		return false
	}
	if a.state.Report == b.state.Report {
		return true
	}
	return a.state.HostPorts().Equal(b.state.HostPorts())
}

// A subject is what a moment is about.
type subject struct {
	Change
	part string // for a service: "deployment/ID" or "event/NUMBER"
}

// subjectOf returns the subject that a record belongs to. ok is false for records that
// have no moments. ECS's names need no escaping in paths.
func subjectOf(k *kind, names Names) (th subject, ok bool) {
	th.Kind, th.Names[0], th.Names[1] = k.change, names[0], names[1]
	switch k.change {
	case TaskChanged:
	case InstanceChanged, SessionChanged, InstanceHealthChanged:
		th.Kind = InstanceChanged
	case ServiceChanged:
		if k.names < 3 || k.parts[4] != "event" && k.parts[4] != "deployment" {
			return subject{}, false
		}
		th.part = k.parts[4] + "/" + names[2]
	default:
		return subject{}, false
	}
	return th, true
}

func instanceSubject(cluster, id string) subject {
	return subject{Change: Change{InstanceChanged, Names{cluster, id}}}
}

// view returns the subject's view in the tables.
func (th *subject) view(t *tables) View {
	cluster, id := th.Names[0], th.Names[1]
	switch th.Kind {
	case TaskChanged:
		return t.taskView(cluster, id)
	case InstanceChanged:
		return t.instanceView(cluster, id)
	}
	what, name, _ := strings.Cut(th.part, "/")
	if what == "event" {
		e, _ := recordIn(t, serviceEvents, tableKey(cluster, id, name))
		return View{Event: e}
	}
	return View{Deployment: t.deployment(cluster, id, name)}
}

// A momentBuilder turns the changes of each batch of revisions into moments. It knows
// the state before the batch.
type momentBuilder struct {
	before  *tables // read-only
	now     *tables
	base    int64
	at      time.Time
	last    map[subject]lastView // the subjects that have changed in the batch
	changed []subject            // in the revision that is being applied
	moments []Moment
	failed  bool // the moments of the batch can't be built
}

// lastView is a subject after its newest change.
type lastView struct {
	view View
	mod  int64
}

// beginBatch begins a batch.
func (d *momentBuilder) beginBatch(before, now *tables, base int64) {
	d.before, d.now, d.base, d.at = before, now, base, time.Now().UTC().Truncate(time.Millisecond)
	if d.last == nil {
		d.last = map[subject]lastView{}
	}
	clear(d.last)
	clear(d.moments) // they refer to values that may be garbage by now
	d.changed, d.moments, d.failed = d.changed[:0], d.moments[:0], false
}

// noteChange records that a record has been applied.
func (d *momentBuilder) noteChange(k *kind, names Names) {
	if th, ok := subjectOf(k, names); ok {
		d.changed = append(d.changed, th)
	}
}

// closeRevision builds the moments of a revision.
func (d *momentBuilder) closeRevision(mod int64) {
	for i := 0; i < len(d.changed); i++ { // the loop appends to d.changed
		th := d.changed[i]
		was, known := d.last[th]
		if known && was.mod == mod {
			continue
		}
		if !known {
			was.view = th.view(d.before)
			was.view.InstanceRevision += d.base
		}
		is := th.view(d.now)
		is.InstanceRevision += d.base
		d.last[th] = lastView{is, mod}
		d.moments = append(d.moments, Moment{Change: th.Change, Revision: d.base + mod, At: d.at, Was: was.view, Is: is})
		if th.Kind != TaskChanged {
			continue
		}
		for _, task := range [...]*fleet.TaskState{was.view.Task, is.Task} {
			if task == nil || task.Instance == "" {
				continue
			}
			// A task touches its host when it begins, ends or binds ports.
			if d.now.hostAt(task.Cluster, task.Instance).changed == mod {
				d.changed = append(d.changed, instanceSubject(task.Cluster, task.Instance))
			}
		}
	}
	d.changed = d.changed[:0]
}
