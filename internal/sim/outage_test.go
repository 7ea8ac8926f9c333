package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"
)

// The control plane is away for longer than the loss time, and all hosts are away at the
// same time. Whichever host comes back first, no task is replaced.
func TestOutageReplacesNothing(t *testing.T) {
	shut := func(o *outage) {
		for _, g := range o.gates {
			g.Shut(false)
		}
	}
	// stop ends all agents, and their containers go on. All hosts are out of contact at
	// the same time, however long the agents take to end.
	stop := func(o *outage) {
		shut(o)
		var g errgroup.Group
		for _, h := range o.hosts {
			g.Go(h.Stop)
		}
		if err := g.Wait(); err != nil {
			o.t.Fatal(err)
		}
	}
	open := func(o *outage, i int) { o.gates[i].Open() }
	start := func(o *outage, i int) { open(o, i); o.hosts[i].Start() }
	for name, x := range map[string]struct {
		server bool // the server is away too
		leave  func(*outage)
		back   func(o *outage, host int)
	}{
		"the control plane":                       {server: true, leave: shut, back: open},
		"all hosts restarted":                     {leave: stop, back: start},
		"all hosts restarted meanwhile":           {server: true, leave: stop, back: start},
		"the network between hosts and the plane": {leave: shut, back: open},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutage(t)
			if x.server {
				// Its hosts' sessions end with it, so the next leader finds none.
				if err := o.servers[0].Stop(); err != nil {
					t.Fatal(err)
				}
			}
			x.leave(o)
			if x.server {
				time.Sleep((outageLoss + 1) * time.Second) // it is away for longer than the loss time
				if err := o.servers[0].Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			o.eventually("nobody is there", func() bool {
				for _, i := range o.instances(0) {
					if i.AgentConnected {
						return false
					}
				}
				return true
			})
			o.canary.waitReplaced()
			o.expectUnchanged("while all are away")
			// Most hosts return at once. The last ones were not away for the loss time
			// while others were there.
			most := len(o.hosts) - len(o.hosts)/4
			for i := range most {
				x.back(o, i)
			}
			o.waitConnected(most)
			o.canary.waitReplaced()
			o.expectUnchanged("while the last are away")
			for i := range o.hosts[most:] {
				x.back(o, most+i)
			}
			o.waitConnected(len(o.hosts))
			o.expectUnchanged("when all are back")
			o.steady("s")
			o.startedOnce(outageTasks)
		})
	}
}

const (
	outageHosts, outageTasks = 12, 24
	// Loss times in seconds. The canary's is longer. So when the canary is replaced,
	// any other task would have been replaced too.
	outageLoss, canaryLoss = 2, 3
)

// outage is a fleet with a service whose tasks are replaced when their hosts are lost.
type outage struct {
	*world
	before map[string]bool // the service's tasks
	canary *canary
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	n := size{servers: 1, hosts: outageHosts, cpus: 4, memory: 4000, journal: true, gates: true}
	o := &outage{world: newWorld(t, n)}
	o.family("f", need{cpu: 16, memory: 16})
	o.createService("s", "f", outageTasks, func(in *ecs.CreateServiceInput) {
		in.Tags = append(in.Tags, setting("replace-lost-after", fmt.Sprint(outageLoss)))
	})
	o.canary = newCanary(o.world)
	o.steady("s")
	o.before = o.wantedTasks()
	return o
}

// wantedTasks returns the service's tasks that should run.
func (o *outage) wantedTasks() map[string]bool {
	o.t.Helper()
	arns := map[string]bool{}
	for _, task := range o.tasksOf("s") {
		if aws.ToString(task.DesiredStatus) == "RUNNING" {
			arns[*task.TaskArn] = true
		}
	}
	return arns
}

// expectUnchanged fails the test if a task was replaced.
func (o *outage) expectUnchanged(when string) {
	o.t.Helper()
	now := o.wantedTasks()
	replaced := 0
	for arn := range o.before {
		if !now[arn] {
			replaced++
		}
	}
	if replaced > 0 || len(now) != outageTasks {
		s := o.service("s")
		o.t.Fatalf("%s: %d of %d tasks were replaced, %d are to run\n%s", when, replaced, outageTasks, len(now), story(&s))
	}
}

// canary is a separate cluster with its own loss time, under the same leader.
type canary struct {
	w     *world
	hosts []*Host
}

const canaryCluster, canaryTasks = "canary", 6

func newCanary(w *world) *canary {
	w.t.Helper()
	if _, err := w.ecs(0).CreateCluster(w.t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String(canaryCluster)}); err != nil {
		w.t.Fatal(err)
	}
	c := &canary{w: w}
	for i := range 5 {
		c.hosts = append(c.hosts, w.hostIn(canaryCluster, 1000+i, size{cpus: 4, memory: 4000, journal: true}, w.log))
	}
	c.waitConnected()
	w.createService("k", "f", canaryTasks, func(in *ecs.CreateServiceInput) {
		in.Cluster = aws.String(canaryCluster)
		in.Tags = append(in.Tags, setting("replace-lost-after", fmt.Sprint(canaryLoss)))
	})
	w.eventually("the canary's tasks run", func() bool { return c.containers() == canaryTasks })
	return c
}

// waitConnected waits until all hosts that were not lost on purpose are connected.
func (c *canary) waitConnected() {
	c.w.t.Helper()
	c.w.eventually("the canary's hosts are connected", func() bool {
		out, err := c.w.ecs(0).ListContainerInstances(c.w.t.Context(), &ecs.ListContainerInstancesInput{
			Cluster: aws.String(canaryCluster), Filter: aws.String("agentConnected == true"), Status: types.ContainerInstanceStatusActive,
		})
		if err != nil {
			c.w.t.Fatal(err)
		}
		return len(out.ContainerInstanceArns) == len(c.hosts)
	})
}

func (c *canary) containers() int {
	n := 0
	for _, h := range c.hosts {
		n += h.Machine().Running()
	}
	return n
}

// waitReplaced loses a host of the canary and waits until its tasks are replaced. Then the leader
// has watched for the loss time and done its work.
func (c *canary) waitReplaced() {
	c.w.t.Helper()
	c.waitConnected()
	gone := c.hosts[0]
	c.hosts = c.hosts[1:]
	if gone.Machine().Running() == 0 {
		c.w.t.Fatal("the canary's host has no task to be replaced")
	}
	if err := gone.Stop(); err != nil {
		c.w.t.Fatal(err)
	}
	c.w.eventually("the canary's tasks are replaced", func() bool { return c.containers() == canaryTasks })
}
