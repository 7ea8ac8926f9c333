package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	protectAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html"
	protection = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html"
	failuresOf = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html"
)

// nobody is an id that no task has.
const nobody = "0123456789abcdef0123456789abcdef"

func (c *C) refusesProtection(in *ecs.UpdateTaskProtectionInput, code string, words ...string) {
	c.Helper()
	_, err := c.ECS.UpdateTaskProtection(c.Ctx(), in)
	c.Refused(err, code, words...)
}

// checkFailures checks that each of n tasks failed for one reason.
func (c *C) checkFailures(failures []types.Failure, done []types.ProtectedTask, n int, reason string) {
	c.Helper()
	if len(failures) != n || len(done) != 0 {
		c.Fatalf("%+v, %+v", failures, done)
	}
	for _, f := range failures {
		if aws.ToString(f.Reason) != reason || !strings.HasPrefix(aws.ToString(f.Arn), "arn:") {
			c.Errorf("%+v", f)
		}
	}
}

// minutesCases are durations that a protection can't have.
func minutesCases() []Case {
	var cases []Case
	for _, n := range []int32{0, -1, 2881, 1 << 30} {
		cases = append(cases, Case{
			Name: fmt.Sprintf("UpdateTaskProtection expiresInMinutes %d", n), Cite: "model: UpdateTaskProtectionInput.expiresInMinutes",
			Run: func(c *C) {
				c.refusesProtection(&ecs.UpdateTaskProtectionInput{
					Cluster: aws.String(c.Cluster()), Tasks: []string{nobody}, ProtectionEnabled: true, ExpiresInMinutes: &n,
				}, "InvalidParameterException", "expiresInMinutes")
			},
		})
	}
	for _, n := range []int32{1, 120, 2880} {
		cases = append(cases, Case{
			Name: fmt.Sprintf("UpdateTaskProtection takes expiresInMinutes %d", n), Cite: "model: UpdateTaskProtectionInput.expiresInMinutes",
			Run: func(c *C) {
				out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{
					Cluster: aws.String(c.Cluster()), Tasks: []string{nobody}, ProtectionEnabled: true, ExpiresInMinutes: &n,
				})
				c.OK(err)
				c.checkFailures(out.Failures, out.ProtectedTasks, 1, "MISSING")
			},
		})
	}
	return cases
}

// Only a service's tasks can be protected. These cases need no service.
var protectionCases = []Case{
	{
		Name: "UpdateTaskProtection of a missing task", Cite: failuresOf,
		Run: func(c *C) {
			out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: []string{nobody}, ProtectionEnabled: true})
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 1, "MISSING")
		},
	},
	{
		Name: "UpdateTaskProtection takes the end of a missing task's protection", Cite: failuresOf,
		Run: func(c *C) {
			out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: []string{nobody}})
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 1, "MISSING")
		},
	},
	{
		Name: "UpdateTaskProtection by the cluster's ARN", Cite: "model: UpdateTaskProtectionInput.cluster",
		Run: func(c *C) {
			arn := c.describe(c.Cluster()).ClusterArn
			out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{Cluster: arn, Tasks: []string{nobody}, ProtectionEnabled: true})
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 1, "MISSING")
		},
	},
	{
		Name: "UpdateTaskProtection of a task of another cluster", Cite: failuresOf,
		Run: func(c *C) {
			arn := strings.Replace(aws.ToString(c.describe(c.Cluster()).ClusterArn), ":cluster/", ":task/", 1) + "/" + nobody
			out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: []string{arn}, ProtectionEnabled: true})
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 1, "MISSING")
		},
	},
	{
		Name: "UpdateTaskProtection of ten tasks", Cite: "model: UpdateTaskProtectionInput.tasks",
		Run: func(c *C) {
			var ids []string
			for i := range 10 {
				ids = append(ids, fmt.Sprintf("%032x", i+1))
			}
			out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: ids, ProtectionEnabled: true})
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 10, "MISSING")
		},
	},
	{
		Name: "UpdateTaskProtection of eleven tasks", Cite: "model: UpdateTaskProtectionInput.tasks",
		Run: func(c *C) {
			var ids []string
			for i := range 11 {
				ids = append(ids, fmt.Sprintf("%032x", i+1))
			}
			c.refusesProtection(&ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: ids, ProtectionEnabled: true}, "InvalidParameterException", "tasks")
		},
	},
	{
		Name: "UpdateTaskProtection without tasks", Cite: "model: UpdateTaskProtectionInput.tasks",
		Run: func(c *C) {
			c.refusesProtection(&ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: []string{}, ProtectionEnabled: true}, "InvalidParameterException", "tasks")
		},
	},
	{
		Name: "UpdateTaskProtection of an id that can't be one", Cite: "model: UpdateTaskProtectionInput.tasks",
		Run: func(c *C) {
			c.refusesProtection(&ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: []string{"short"}, ProtectionEnabled: true}, "InvalidParameterException", "task")
		},
	},
	{
		Name: "UpdateTaskProtection without a cluster", Cite: "model: UpdateTaskProtectionInput.cluster",
		Run: func(c *C) {
			c.refusesProtection(&ecs.UpdateTaskProtectionInput{Cluster: aws.String(""), Tasks: []string{nobody}, ProtectionEnabled: true}, "InvalidParameterException", "cluster")
		},
	},
	{
		Name: "UpdateTaskProtection in a cluster that does not exist", Cite: protectAPI,
		Run: func(c *C) {
			c.refusesProtection(&ecs.UpdateTaskProtectionInput{Cluster: aws.String(c.Unique("none")), Tasks: []string{nobody}, ProtectionEnabled: true}, "ClusterNotFoundException")
		},
	},
	{
		Name: "UpdateTaskProtection of a standalone task", Cite: protectAPI, Needs: Hosts,
		Run: func(c *C) {
			room := c.Room()
			arns := c.Run(room, c.Sleeper(), 1)
			for _, on := range []bool{true, false} {
				out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{Cluster: &room, Tasks: arns, ProtectionEnabled: on})
				c.OK(err)
				c.checkFailures(out.Failures, out.ProtectedTasks, 1, "TASK_NOT_VALID")
			}
		},
	},
	{
		Name: "UpdateTaskProtection tells each task's own failure", Cite: failuresOf, Needs: Hosts,
		Run: func(c *C) {
			room := c.Room()
			arns := c.Run(room, c.Sleeper(), 1)
			out, err := c.ECS.UpdateTaskProtection(c.Ctx(), &ecs.UpdateTaskProtectionInput{Cluster: &room, Tasks: append(arns, nobody), ProtectionEnabled: true})
			c.OK(err)
			reasons := map[string]int{}
			for _, f := range out.Failures {
				reasons[aws.ToString(f.Reason)]++
			}
			if reasons["TASK_NOT_VALID"] != 1 || reasons["MISSING"] != 1 || len(out.ProtectedTasks) != 0 {
				c.Errorf("%+v", out)
			}
		},
	},
	{
		Name: "GetTaskProtection of a standalone task", Cite: failuresOf, Needs: Hosts,
		Run: func(c *C) {
			room := c.Room()
			out, err := c.ECS.GetTaskProtection(c.Ctx(), &ecs.GetTaskProtectionInput{Cluster: &room, Tasks: c.Run(room, c.Sleeper(), 1)})
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 1, "TASK_NOT_VALID")
		},
	},
	{
		Name: "GetTaskProtection of a missing task", Cite: failuresOf,
		Run: func(c *C) {
			out, err := c.ECS.GetTaskProtection(c.Ctx(), &ecs.GetTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: []string{nobody}})
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 1, "MISSING")
		},
	},
	{
		Name: "GetTaskProtection of a hundred tasks", Cite: "model: GetTaskProtectionInput.tasks",
		Run: func(c *C) {
			var ids []string
			for i := range 100 {
				ids = append(ids, fmt.Sprintf("%032x", i+1))
			}
			in := &ecs.GetTaskProtectionInput{Cluster: aws.String(c.Cluster()), Tasks: ids}
			out, err := c.ECS.GetTaskProtection(c.Ctx(), in)
			c.OK(err)
			c.checkFailures(out.Failures, out.ProtectedTasks, 100, "MISSING")
			in.Tasks = append(in.Tasks, nobody)
			_, err = c.ECS.GetTaskProtection(c.Ctx(), in)
			c.Refused(err, "InvalidParameterException", "tasks")
		},
	},
	{
		Name: "GetTaskProtection of a cluster without tasks", Cite: protection,
		Run: func(c *C) {
			out, err := c.ECS.GetTaskProtection(c.Ctx(), &ecs.GetTaskProtectionInput{Cluster: aws.String(c.Cluster())})
			c.OK(err)
			if len(out.ProtectedTasks)+len(out.Failures) != 0 {
				c.Errorf("%+v", out)
			}
		},
	},
	{
		Name: "GetTaskProtection in a cluster that does not exist", Cite: protection,
		Run: func(c *C) {
			_, err := c.ECS.GetTaskProtection(c.Ctx(), &ecs.GetTaskProtectionInput{Cluster: aws.String(c.Unique("none")), Tasks: []string{nobody}})
			c.Refused(err, "ClusterNotFoundException")
		},
	},
	{
		Name: "GetTaskProtection without a cluster", Cite: "model: GetTaskProtectionInput.cluster",
		Run: func(c *C) {
			_, err := c.ECS.GetTaskProtection(c.Ctx(), &ecs.GetTaskProtectionInput{Cluster: aws.String(""), Tasks: []string{nobody}})
			c.Refused(err, "InvalidParameterException", "cluster")
		},
	},
}

func TestTaskProtection(t *testing.T) { run(t, append(minutesCases(), protectionCases...)) }
