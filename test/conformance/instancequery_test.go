package conformance

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// instancesIn lists a cluster's container instances, sorted.
func (c *C) instancesIn(cluster string, change ...func(*ecs.ListContainerInstancesInput)) []string {
	c.Helper()
	in := &ecs.ListContainerInstancesInput{Cluster: &cluster}
	for _, f := range change {
		f(in)
	}
	var out []string
	for p := ecs.NewListContainerInstancesPaginator(c.ECS, in); p.HasMorePages(); {
		page, err := p.NextPage(c.Ctx())
		c.OK(err)
		out = append(out, page.ContainerInstanceArns...)
	}
	slices.Sort(out)
	return out
}

func sorted(s ...string) []string { slices.Sort(s); return s }

func withStatus(s types.ContainerInstanceStatus) func(*ecs.ListContainerInstancesInput) {
	return func(in *ecs.ListContainerInstancesInput) { in.Status = s }
}

func filtered(expression string) func(*ecs.ListContainerInstancesInput) {
	return func(in *ecs.ListContainerInstancesInput) { in.Filter = &expression }
}

func constrained(expressions ...string) func(*ecs.RunTaskInput) {
	return func(in *ecs.RunTaskInput) {
		for _, e := range expressions {
			in.PlacementConstraints = append(in.PlacementConstraints, types.PlacementConstraint{Type: types.PlacementConstraintTypeMemberOf, Expression: &e})
		}
	}
}

func distinct(in *ecs.RunTaskInput) {
	in.PlacementConstraints = append(in.PlacementConstraints, types.PlacementConstraint{Type: types.PlacementConstraintTypeDistinctInstance})
}

// try runs tasks. Not all of them need be placed.
func (c *C) try(cluster, definition string, count int32, change ...func(*ecs.RunTaskInput)) (*ecs.RunTaskOutput, error) {
	in := &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &definition, Count: &count}
	for _, f := range change {
		f(in)
	}
	out, err := c.ECS.RunTask(c.Ctx(), in)
	if err == nil {
		for _, t := range out.Tasks {
			c.StopAtEnd(cluster, *t.TaskArn)
		}
	}
	return out, err
}

// queryCases are the operators of the cluster query language: each says which of two
// instances, "1" and "2", an expression selects.
func queryCases() []Case {
	var out []Case
	for expression, want := range map[string]string{
		"attribute:rack == 1": "1", "attribute:rack equals 1": "1", "attribute:rack == '1'": "1",
		"attribute:rack != 1": "2", "attribute:rack not_equals 1": "2",
		"attribute:rack > 1": "2", "attribute:rack greater_than 1": "2", "attribute:rack >= 1": "12", "attribute:rack greater_than_equal 2": "2",
		"attribute:rack < 2": "1", "attribute:rack less_than 2": "1", "attribute:rack <= 1": "1", "attribute:rack less_than_equal 2": "12",
		"attribute:gpu exists": "2", "attribute:gpu !exists": "1", "attribute:gpu not_exists": "1",
		"attribute:zone in [us-east-1a, us-east-1b]": "1", "attribute:zone !in [us-east-1a, us-east-1b]": "2", "attribute:zone not_in ['us-east-1a']": "2",
		"attribute:type =~ g2.*": "2", "attribute:type matches t2.*": "1", "attribute:type !~ g2.*": "1", "attribute:type not_matches t2.*": "2",
		"attribute:rack == 1 and attribute:type =~ t2.*": "1", "attribute:rack == 1 && attribute:type =~ g2.*": "",
		"attribute:rack == 1 or attribute:type =~ g2.*": "12", "attribute:rack == 3 || attribute:rack == 2": "2",
		"not(attribute:rack == 1)": "2", "!(attribute:rack == 1)": "2",
		"attribute:rack == 1 or attribute:rack == 2 and attribute:gpu !exists":  "1",
		"(attribute:rack == 1 or attribute:rack == 2) and attribute:gpu exists": "2",
		"ec2InstanceId in ['i-1', 'i-9']":                                       "1", "ec2InstanceId == i-2": "2",
	} {
		out = append(out, Case{Name: "filter " + expression, Cite: queryGuide, Needs: Fleet, Run: func(c *C) {
			cluster := c.Cluster()
			arns := map[string]string{
				c.Machine(cluster, "rack=1", "zone=us-east-1a", "type=t2.small", "ecs.instance-id=i-1"):          "1",
				c.Machine(cluster, "rack=2", "zone=us-east-1c", "type=g2.2xlarge", "gpu", "ecs.instance-id=i-2"): "2",
			}
			var got []string
			for _, arn := range c.instancesIn(cluster, filtered(expression)) {
				got = append(got, arns[arn])
			}
			slices.Sort(got)
			if s := strings.Join(got, ""); s != want {
				c.Errorf("selects %q, want %q", s, want)
			}
		}})
	}
	for _, wrong := range []string{
		"attribute:rack", "attribute:rack = 1", "attribute:rack ==", "rack == 1", "attribute:rack == 1 and", "(attribute:rack == 1", "attribute:rack in 1",
		"attribute:type =~ '['", "runningTasksCount == few", "registeredAt > yesterday",
	} {
		out = append(out, Case{Name: "filter is refused: " + wrong, Cite: queryGuide, Run: func(c *C) {
			_, err := c.ECS.ListContainerInstances(c.Ctx(), &ecs.ListContainerInstancesInput{Cluster: aws.String(c.Cluster()), Filter: &wrong})
			c.Refused(err, "InvalidParameterException", "filter")
		}})
	}
	slices.SortFunc(out, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return out
}
