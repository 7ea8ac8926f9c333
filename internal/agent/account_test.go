package agent_test

import (
	"slices"
	"testing"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/wire/acs"
)

// A server whose state was restored gets a full account of everything that runs here, even
// if it was reported before. Other servers do not.
func TestAccounts(t *testing.T) {
	h := simulated(t, func(p *agenttest.Plane) { p.Extensions = true })
	stop := h.start()
	instance := h.plane.WaitInstance(1)
	task := simulatedTask("arn:aws:ecs:us-east-1:000000000000:task/default/a")
	task.Version, task.LaunchType, task.Memory = "7", "EC2", 20
	task.Containers[0].CPU = 5
	task.Containers[0].PortMappings = []acs.PortMapping{{ContainerPort: 80, HostPort: 8080}, {ContainerPort: 53, Protocol: "udp"}}
	ended := simulatedTask("arn:aws:ecs:us-east-1:000000000000:task/default/b")
	h.plane.Order(instance, task, ended)
	told := h.plane.WaitReport(task.Arn, acs.StatusRunning)
	h.plane.WaitReport(ended.Arn, acs.StatusRunning)
	h.plane.Order(instance, acs.Task{Arn: ended.Arn, DesiredStatus: acs.StatusStopped})
	h.plane.WaitReport(ended.Arn, acs.StatusStopped)
	stop()
	h.plane.ForgetConnection()

	accounts := func(m *acs.InventoryMessage) bool {
		return slices.ContainsFunc(m.Tasks, func(x acs.InventoryTask) bool { return x.Account != nil })
	}
	stop = h.start()
	if inv := agenttest.WaitMessage(h.plane, func(m *acs.InventoryMessage) bool { return len(m.Tasks) > 0 }); accounts(inv) {
		t.Errorf("told without being asked: %+v", inv)
	}
	stop()
	h.plane.ForgetConnection()
	h.plane.Accounts = true
	h.start()
	var of, other *acs.TaskAccount
	for _, x := range agenttest.WaitMessage(h.plane, accounts).Tasks {
		if x.TaskArn == task.Arn {
			of = x.Account
		} else if x.Account != nil {
			other = x.Account
		}
	}
	if other != nil {
		t.Errorf("of a task that has ended: %+v", other)
	}
	if of.Family != "f" || of.Version != "7" || of.LaunchType != "EC2" || of.CPU != 5 || of.Memory != 20 || !slices.Equal(of.TCP, []int{8080}) || len(of.UDP) != 0 {
		t.Errorf("%+v", of)
	}
	r := of.Report
	if r.TaskArn != task.Arn || r.Status != acs.StatusRunning || len(r.Containers) != 1 {
		t.Fatalf("%+v", r)
	}
	c := r.Containers[0]
	if c.ContainerName != "main" || c.RuntimeID != told.Containers[0].RuntimeID || c.Status != acs.StatusRunning || len(c.NetworkBindings) != 2 || c.NetworkBindings[0].HostPort != 8080 {
		t.Errorf("%+v", c)
	}
}
