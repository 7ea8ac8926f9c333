package conformance

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (c *C) state(cluster string, status types.ContainerInstanceStatus, arns ...string) (*ecs.UpdateContainerInstancesStateOutput, error) {
	return c.ECS.UpdateContainerInstancesState(c.Ctx(), &ecs.UpdateContainerInstancesStateInput{Cluster: &cluster, ContainerInstances: arns, Status: status})
}

var containerInstanceStateCases = []Case{
	{Name: "Draining shows", Cite: updateStateAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		out, err := c.state(cluster, types.ContainerInstanceStatusDraining, arn)
		c.OK(err)
		if len(out.ContainerInstances) != 1 || *out.ContainerInstances[0].Status != "DRAINING" || len(out.Failures) != 0 {
			c.Errorf("answer: %+v", out)
		}
		if i := c.instance(cluster, arn); *i.Status != "DRAINING" {
			c.Errorf("described as %s", *i.Status)
		}
	}},
	{Name: "Draining twice is as once, and ends with ACTIVE", Cite: updateStateAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		for _, s := range []types.ContainerInstanceStatus{types.ContainerInstanceStatusDraining, types.ContainerInstanceStatusDraining, types.ContainerInstanceStatusActive, types.ContainerInstanceStatusActive} {
			out, err := c.state(cluster, s, arn)
			c.OK(err)
			if len(out.ContainerInstances) != 1 || *out.ContainerInstances[0].Status != string(s) {
				c.Errorf("%s: %+v", s, out)
			}
		}
	}},
	{Name: "RunTask places nothing on a draining instance", Cite: drainingGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		arns := c.instancesIn(cluster)
		_, err := c.state(cluster, types.ContainerInstanceStatusDraining, arns[0])
		c.OK(err)
		for _, t := range c.tasks(cluster, c.Run(cluster, c.Sleeper(), 5)) {
			if *t.ContainerInstanceArn != arns[1] {
				c.Errorf("a task is on %s", *t.ContainerInstanceArn)
			}
		}
	}},
	{Name: "StartTask places nothing on a draining instance", Cite: drainingGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arn := c.instancesIn(cluster)[0]
		_, err := c.state(cluster, types.ContainerInstanceStatusDraining, arn)
		c.OK(err)
		out, err := c.ECS.StartTask(c.Ctx(), &ecs.StartTaskInput{Cluster: &cluster, TaskDefinition: aws.String(c.Sleeper()), ContainerInstances: []string{arn}})
		c.OK(err)
		if len(out.Tasks) != 0 || len(out.Failures) != 1 {
			c.Errorf("started: %+v", out)
		}
	}},
	{Name: "Draining leaves standalone tasks alone", Cite: drainingGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		arn := c.instancesIn(cluster)[0]
		tasks := c.Run(cluster, c.Sleeper(), 2)
		c.OK(ecs.NewTasksRunningWaiter(c.ECS, func(o *ecs.TasksRunningWaiterOptions) { o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second }).Wait(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: tasks}, patience))
		_, err := c.state(cluster, types.ContainerInstanceStatusDraining, arn)
		c.OK(err)
		for _, t := range c.tasks(cluster, tasks) {
			if *t.DesiredStatus != "RUNNING" || *t.LastStatus != "RUNNING" {
				c.Errorf("a task is %s and shall be %s", *t.LastStatus, *t.DesiredStatus)
			}
		}
		_, err = c.state(cluster, types.ContainerInstanceStatusActive, arn)
		c.OK(err)
		c.Run(cluster, c.Sleeper(), 1)
	}},
	{Name: "Up to ten change their state at once", Cite: "model: UpdateContainerInstancesStateInput.containerInstances", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		var arns []string
		for range 10 {
			arns = append(arns, c.Machine(cluster))
		}
		out, err := c.state(cluster, types.ContainerInstanceStatusDraining, arns...)
		c.OK(err)
		if len(out.ContainerInstances) != 10 {
			c.Errorf("%d were changed", len(out.ContainerInstances))
		}
		c.same("DRAINING", c.instancesIn(cluster, withStatus(types.ContainerInstanceStatusDraining)), sorted(arns...))
	}},
	{Name: "UpdateContainerInstancesState refuses eleven", Cite: "model: UpdateContainerInstancesStateInput.containerInstances", Run: func(c *C) {
		_, err := c.state(c.Cluster(), types.ContainerInstanceStatusDraining, slices.Repeat([]string{unknownInstance}, 11)...)
		c.Refused(err, "InvalidParameterException", "10")
	}},
	{Name: "UpdateContainerInstancesState refuses none", Cite: "model: UpdateContainerInstancesStateInput.containerInstances", Run: func(c *C) {
		_, err := c.state(c.Cluster(), types.ContainerInstanceStatusDraining, []string{}...)
		if err == nil {
			c.Error("it was taken")
		}
	}},
	{Name: "UpdateContainerInstancesState of an unknown one is a failure, the others change", Cite: "model: UpdateContainerInstancesStateOutput.failures", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		out, err := c.state(cluster, types.ContainerInstanceStatusDraining, unknownInstance, arn)
		c.OK(err)
		if len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" || len(out.ContainerInstances) != 1 || *out.ContainerInstances[0].ContainerInstanceArn != arn {
			c.Errorf("answer: %+v", out)
		}
	}},
	{Name: "UpdateContainerInstancesState of a deregistered one is a failure", Cite: updateStateAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		c.deregister(cluster, arn)
		out, err := c.state(cluster, types.ContainerInstanceStatusActive, arn)
		c.OK(err)
		if len(out.Failures) != 1 || len(out.ContainerInstances) != 0 {
			c.Errorf("answer: %+v", out)
		}
	}},
	{Name: "UpdateContainerInstancesState refuses an unknown cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html#API_UpdateContainerInstancesState_Errors", Run: func(c *C) {
		_, err := c.state(c.Unique("none"), types.ContainerInstanceStatusDraining, unknownInstance)
		c.Refused(err, "ClusterNotFoundException")
	}},
	otherState(types.ContainerInstanceStatusRegistering), otherState(types.ContainerInstanceStatusDeregistering),
	otherState(types.ContainerInstanceStatusRegistrationFailed), otherState("INACTIVE"),
}

func otherState(s types.ContainerInstanceStatus) Case {
	return Case{Name: "UpdateContainerInstancesState refuses " + string(s), Cite: "model: UpdateContainerInstancesStateInput.status", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.state(cluster, s, c.Machine(cluster))
		c.Refused(err, "InvalidParameterException", "status")
	}}
}
