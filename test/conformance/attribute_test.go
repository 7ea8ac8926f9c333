package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	putAttributesAPI    = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html"
	deleteAttributesAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteAttributes.html"
	listAttributesAPI   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAttributes.html"
	attributesGuide     = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html"
)

// Machine registers a container instance without an agent and returns its ARN. Cases
// that use it need Fleet. Attributes are NAME or NAME=VALUE.
func (c *C) Machine(cluster string, attributes ...string) string {
	c.Helper()
	out, err := c.ECS.RegisterContainerInstance(c.Ctx(), &ecs.RegisterContainerInstanceInput{
		Cluster: &cluster, TotalResources: resources(1024, 1024), Attributes: attributesOf(attributes...),
	})
	c.OK(err)
	c.Cleanup(func() { c.deregisterHosts(cluster) })
	return *out.ContainerInstance.ContainerInstanceArn
}

func resources(cpu, memory int32) []types.Resource {
	return []types.Resource{
		{Name: aws.String("CPU"), Type: aws.String("INTEGER"), IntegerValue: cpu},
		{Name: aws.String("MEMORY"), Type: aws.String("INTEGER"), IntegerValue: memory},
		{Name: aws.String("PORTS"), Type: aws.String("STRINGSET"), StringSetValue: []string{"22"}},
		{Name: aws.String("PORTS_UDP"), Type: aws.String("STRINGSET"), StringSetValue: []string{}},
	}
}

func attributesOf(list ...string) []types.Attribute {
	out := []types.Attribute{}
	for _, s := range list {
		name, value, has := strings.Cut(s, "=")
		a := types.Attribute{Name: &name}
		if has {
			a.Value = &value
		}
		out = append(out, a)
	}
	return out
}

// withTarget sets the target of the attributes in a list.
func withTarget(target string, list ...string) []types.Attribute {
	out := attributesOf(list...)
	for i := range out {
		out[i].TargetId = &target
	}
	return out
}

func (c *C) putAttributes(cluster string, list []types.Attribute) ([]types.Attribute, error) {
	out, err := c.ECS.PutAttributes(c.Ctx(), &ecs.PutAttributesInput{Cluster: &cluster, Attributes: list})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

func (c *C) deleteAttributes(cluster string, list []types.Attribute) ([]types.Attribute, error) {
	out, err := c.ECS.DeleteAttributes(c.Ctx(), &ecs.DeleteAttributesInput{Cluster: &cluster, Attributes: list})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// attributes lists a cluster's attributes as NAME or NAME=VALUE, sorted by name.
func (c *C) attributes(cluster string, change ...func(*ecs.ListAttributesInput)) []string {
	c.Helper()
	in := &ecs.ListAttributesInput{Cluster: &cluster, TargetType: types.TargetTypeContainerInstance}
	for _, f := range change {
		f(in)
	}
	var out []string
	for p := ecs.NewListAttributesPaginator(c.ECS, in); p.HasMorePages(); {
		page, err := p.NextPage(c.Ctx())
		c.OK(err)
		for _, a := range page.Attributes {
			s := *a.Name
			if a.Value != nil {
				s += "=" + *a.Value
			}
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

func (c *C) same(what string, got, want []string) {
	c.Helper()
	if !slices.Equal(got, want) {
		c.Errorf("%s: %v, want %v", what, got, want)
	}
}

func byName(name, value string) func(*ecs.ListAttributesInput) {
	return func(in *ecs.ListAttributesInput) {
		in.AttributeName = &name
		if value != "" {
			in.AttributeValue = &value
		}
	}
}

var attributeCases = []Case{
	{Name: "PutAttributes creates an attribute", Cite: putAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		out, err := c.putAttributes(cluster, withTarget(arn, "stack=production"))
		c.OK(err)
		if len(out) != 1 || *out[0].Name != "stack" || *out[0].Value != "production" || *out[0].TargetId != arn {
			c.Errorf("answer: %+v", out)
		}
		c.same("listed", c.attributes(cluster), []string{"stack=production"})
	}},
	{Name: "PutAttributes replaces the value of one that exists", Cite: putAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster, "stack=test")
		_, err := c.putAttributes(cluster, withTarget(arn, "stack=production"))
		c.OK(err)
		c.same("listed", c.attributes(cluster), []string{"stack=production"})
	}},
	{Name: "PutAttributes takes an attribute without a value", Cite: "model: Attribute.value", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.putAttributes(cluster, withTarget(c.Machine(cluster), "fast"))
		c.OK(err)
		c.same("listed", c.attributes(cluster), []string{"fast"})
	}},
	{Name: "PutAttributes twice is as once", Cite: putAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		for range 2 {
			_, err := c.putAttributes(cluster, withTarget(arn, "a=1", "b=2"))
			c.OK(err)
		}
		c.same("listed", c.attributes(cluster), []string{"a=1", "b=2"})
	}},
	{Name: "PutAttributes takes the short id with its type", Cite: "model: Attribute.targetType", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		list := withTarget(arn[strings.LastIndexByte(arn, '/')+1:], "a=1")
		list[0].TargetType = types.TargetTypeContainerInstance
		out, err := c.putAttributes(cluster, list)
		c.OK(err)
		if *out[0].TargetId != arn {
			c.Errorf("the target is %s", *out[0].TargetId)
		}
	}},
	{Name: "PutAttributes refuses the short id without its type", Cite: "model: Attribute.targetType", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		_, err := c.putAttributes(cluster, withTarget(arn[strings.LastIndexByte(arn, '/')+1:], "a=1"))
		c.Refused(err, "InvalidParameterException", "targetType")
	}},
	{Name: "PutAttributes on several instances in one call", Cite: putAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		one, two := c.Machine(cluster), c.Machine(cluster)
		_, err := c.putAttributes(cluster, append(withTarget(one, "a=1"), withTarget(two, "a=2")...))
		c.OK(err)
		c.same("listed", c.attributes(cluster), []string{"a=1", "a=2"})
	}},
	{Name: "PutAttributes takes ten in a call", Cite: "model: PutAttributesInput.attributes", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		out, err := c.putAttributes(cluster, withTarget(c.Machine(cluster), strings.Fields("a b c d e f g h i j")...))
		c.OK(err)
		if len(out) != 10 {
			c.Errorf("%d were applied", len(out))
		}
	}},
	{Name: "PutAttributes refuses eleven in a call", Cite: "model: PutAttributesInput.attributes", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		one, two := c.Machine(cluster), c.Machine(cluster)
		_, err := c.putAttributes(cluster, append(withTarget(one, strings.Fields("a b c d e f")...), withTarget(two, strings.Fields("a b c d e")...)...))
		c.Refused(err, "InvalidParameterException", "attributes", "10")
	}},
	{Name: "PutAttributes refuses the eleventh custom attribute of an instance", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html#API_PutAttributes_Errors", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster, strings.Fields("a b c d e f g h i j")...)
		_, err := c.putAttributes(cluster, withTarget(arn, "k"))
		c.Refused(err, "AttributeLimitExceededException")
		_, err = c.putAttributes(cluster, withTarget(arn, "j=2"))
		c.OK(err)
	}},
	{Name: "The agent's attributes don't count against the ten", Cite: attributesGuide, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster, strings.Fields("ecs.os-type=linux com.amazonaws.ecs.capability.x a b c d e f g h i")...)
		_, err := c.putAttributes(cluster, withTarget(arn, "j"))
		c.OK(err)
	}},
	{Name: "PutAttributes that is refused changes nothing", Cite: putAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster, "a=1")
		_, err := c.putAttributes(cluster, withTarget(arn, "a=2", "not allowed=1"))
		c.Refused(err, "InvalidParameterException", "name")
		c.same("listed", c.attributes(cluster), []string{"a=1"})
	}},
	{Name: "PutAttributes refuses no attributes", Cite: "model: PutAttributesInput.attributes", Run: func(c *C) {
		_, err := c.putAttributes(c.Cluster(), []types.Attribute{})
		c.Refused(err, "InvalidParameterException", "attributes")
	}},
	{Name: "PutAttributes refuses an unknown target", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html#API_PutAttributes_Errors", Run: func(c *C) {
		list := withTarget(strings.Repeat("0", 32), "a=1")
		list[0].TargetType = types.TargetTypeContainerInstance
		_, err := c.putAttributes(c.Cluster(), list)
		c.Refused(err, "TargetNotFoundException")
	}},
	{Name: "PutAttributes refuses an instance that was deregistered", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html#API_PutAttributes_Errors", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		c.deregister(cluster, arn)
		_, err := c.putAttributes(cluster, withTarget(arn, "a=1"))
		c.Refused(err, "TargetNotFoundException")
	}},
	{Name: "PutAttributes refuses an unknown cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html#API_PutAttributes_Errors", Run: func(c *C) {
		list := withTarget(strings.Repeat("0", 32), "a=1")
		list[0].TargetType = types.TargetTypeContainerInstance
		_, err := c.putAttributes(c.Unique("none"), list)
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "PutAttributes refuses no target", Cite: "model: Attribute.targetId", Run: func(c *C) {
		_, err := c.putAttributes(c.Cluster(), attributesOf("a=1"))
		c.Refused(err, "InvalidParameterException", "targetId")
	}},
	{Name: "PutAttributes refuses the agent's names", Cite: attributesGuide, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.putAttributes(cluster, withTarget(c.Machine(cluster), "ecs.os-type=plan9"))
		c.Refused(err, "InvalidParameterException", "name", "ecs.")
	}},
	{Name: "PutAttributes takes each sign that names and values may have", Cite: "model: Attribute.name", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.putAttributes(cluster, withTarget(c.Machine(cluster), `aZ0-_/\.=aZ0-_.@/\: b`))
		c.OK(err)
		c.same("listed", c.attributes(cluster), []string{`aZ0-_/\.=aZ0-_.@/\: b`})
	}},
	{Name: "PutAttributes takes names and values of 128 characters", Cite: "model: Attribute.value", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.putAttributes(cluster, withTarget(c.Machine(cluster), strings.Repeat("n", 128)+"="+strings.Repeat("v", 128)))
		c.OK(err)
	}},
	badAttribute("a name of 129 characters", strings.Repeat("n", 129), "name"),
	badAttribute("a name with a space", "two words", "name"),
	badAttribute("a name with a colon", "a:b", "name"),
	badAttribute("a value of 129 characters", "a="+strings.Repeat("v", 129), "value"),
	badAttribute("a value with a comma", "a=b,c", "value"),
	badAttribute("a value that starts with a space", "a= b", "value"),
	badAttribute("a value that ends with a space", "a=b ", "value"),

	{Name: "DeleteAttributes deletes", Cite: deleteAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster, "a=1", "b=2")
		out, err := c.deleteAttributes(cluster, withTarget(arn, "a"))
		c.OK(err)
		if len(out) != 1 || *out[0].Name != "a" || *out[0].TargetId != arn {
			c.Errorf("answer: %+v", out)
		}
		c.same("listed", c.attributes(cluster), []string{"b=2"})
	}},
	{Name: "DeleteAttributes of one that isn't there deletes none", Cite: "model: DeleteAttributesOutput.attributes", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		out, err := c.deleteAttributes(cluster, withTarget(c.Machine(cluster, "a=1"), "b"))
		c.OK(err)
		if len(out) != 0 {
			c.Errorf("answer: %+v", out)
		}
		c.same("listed", c.attributes(cluster), []string{"a=1"})
	}},
	{Name: "DeleteAttributes refuses a value", Cite: "model: DeleteAttributesInput.attributes", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.deleteAttributes(cluster, withTarget(c.Machine(cluster, "a=1"), "a=1"))
		c.Refused(err, "InvalidParameterException", "value")
	}},
	{Name: "DeleteAttributes refuses the agent's", Cite: attributesGuide, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.deleteAttributes(cluster, withTarget(c.Machine(cluster, "ecs.os-type=linux"), "ecs.os-type"))
		c.Refused(err, "InvalidParameterException", "name")
	}},
	{Name: "DeleteAttributes refuses an unknown target", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteAttributes.html#API_DeleteAttributes_Errors", Run: func(c *C) {
		list := withTarget(strings.Repeat("0", 32), "a")
		list[0].TargetType = types.TargetTypeContainerInstance
		_, err := c.deleteAttributes(c.Cluster(), list)
		c.Refused(err, "TargetNotFoundException")
	}},
	{Name: "DeleteAttributes refuses eleven in a call", Cite: "model: DeleteAttributesInput.attributes", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.deleteAttributes(cluster, withTarget(c.Machine(cluster), strings.Fields("a b c d e f g h i j k")...))
		c.Refused(err, "InvalidParameterException", "attributes", "10")
	}},
	{Name: "DeleteAttributes makes room for another", Cite: deleteAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster, strings.Fields("a b c d e f g h i j")...)
		_, err := c.deleteAttributes(cluster, withTarget(arn, "a"))
		c.OK(err)
		_, err = c.putAttributes(cluster, withTarget(arn, "k"))
		c.OK(err)
	}},

	{Name: "ListAttributes of an empty cluster", Cite: listAttributesAPI, Run: func(c *C) {
		c.same("listed", c.attributes(c.Cluster()), nil)
	}},
	{Name: "ListAttributes gives one object for each attribute on each instance", Cite: listAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		c.Machine(cluster, "a=1", "b=1")
		c.Machine(cluster, "a=2")
		c.same("listed", c.attributes(cluster), []string{"a=1", "a=2", "b=1"})
	}},
	{Name: "ListAttributes has the agent's too", Cite: listAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		c.Machine(cluster, "ecs.os-type=linux")
		c.same("listed", c.attributes(cluster, byName("ecs.os-type", "linux")), []string{"ecs.os-type=linux"})
	}},
	{Name: "ListAttributes by name", Cite: "model: ListAttributesInput.attributeName", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		c.Machine(cluster, "a=1", "ab=1")
		c.Machine(cluster, "a=2")
		c.same("listed", c.attributes(cluster, byName("a", "")), []string{"a=1", "a=2"})
	}},
	{Name: "ListAttributes by name and value", Cite: "model: ListAttributesInput.attributeValue", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		c.Machine(cluster, "a=1", "b=2")
		c.Machine(cluster, "a=2")
		c.same("listed", c.attributes(cluster, byName("a", "2")), []string{"a=2"})
	}},
	{Name: "ListAttributes refuses a value without a name", Cite: "model: ListAttributesInput.attributeValue", Run: func(c *C) {
		_, err := c.ECS.ListAttributes(c.Ctx(), &ecs.ListAttributesInput{Cluster: aws.String(c.Cluster()), TargetType: types.TargetTypeContainerInstance, AttributeValue: aws.String("1")})
		c.Refused(err, "InvalidParameterException", "attributeName")
	}},
	{Name: "ListAttributes refuses another target type", Cite: "model: ListAttributesInput.targetType", Run: func(c *C) {
		_, err := c.ECS.ListAttributes(c.Ctx(), &ecs.ListAttributesInput{Cluster: aws.String(c.Cluster()), TargetType: "task"})
		c.Refused(err, "InvalidParameterException", "targetType")
	}},
	{Name: "ListAttributes refuses an unknown cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAttributes.html#API_ListAttributes_Errors", Run: func(c *C) {
		_, err := c.ECS.ListAttributes(c.Ctx(), &ecs.ListAttributesInput{Cluster: aws.String(c.Unique("none")), TargetType: types.TargetTypeContainerInstance})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "ListAttributes in pages gives each once", Cite: "model: ListAttributesInput.maxResults", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		var want []string
		for i := range 3 {
			a := []string{fmt.Sprintf("a=%d", i), fmt.Sprintf("b=%d", i), fmt.Sprintf("c/d=%d", i)}
			c.Machine(cluster, a...)
			want = append(want, a...)
		}
		slices.Sort(want)
		for _, size := range []int32{1, 2, 4, 100} {
			c.same(fmt.Sprint("in pages of ", size), c.attributes(cluster, func(in *ecs.ListAttributesInput) { in.MaxResults = &size }), want)
		}
	}},
	{Name: "ListAttributes refuses pages of 101", Cite: "model: ListAttributesInput.maxResults", Run: func(c *C) {
		_, err := c.ECS.ListAttributes(c.Ctx(), &ecs.ListAttributesInput{Cluster: aws.String(c.Cluster()), TargetType: types.TargetTypeContainerInstance, MaxResults: aws.Int32(101)})
		c.Refused(err, "InvalidParameterException", "maxResults")
	}},
	{Name: "ListAttributes refuses a token of its own making", Cite: "model: ListAttributesInput.nextToken", Run: func(c *C) {
		_, err := c.ECS.ListAttributes(c.Ctx(), &ecs.ListAttributesInput{Cluster: aws.String(c.Cluster()), TargetType: types.TargetTypeContainerInstance, NextToken: aws.String("nonsense")})
		c.Refused(err, "InvalidParameterException", "token")
	}},
	{Name: "ListAttributes leaves deregistered instances out", Cite: listAttributesAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster, "a=1")
		c.deregister(cluster, arn)
		c.same("listed", c.attributes(cluster), nil)
	}},
	{Name: "An attribute given by the agent's setting is listed", Cite: attributesGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{Attributes: map[string]string{"stack": "prod"}})
		c.same("listed", c.attributes(cluster, byName("stack", "")), []string{"stack=prod"})
	}},
	{Name: "DescribeContainerInstances shows what PutAttributes set", Cite: "model: ContainerInstance.attributes", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		arn := c.Machine(cluster)
		_, err := c.putAttributes(cluster, withTarget(arn, "stack=prod"))
		c.OK(err)
		i := c.instance(cluster, arn)
		if len(i.Attributes) != 1 || *i.Attributes[0].Name != "stack" || *i.Attributes[0].Value != "prod" {
			c.Errorf("described: %+v", i.Attributes)
		}
	}},
	{Name: "A task goes where PutAttributes says", Cite: attributesGuide, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{}, Spec{})
		arns := c.Connected(cluster, 2)
		_, err := c.putAttributes(cluster, withTarget(arns[1], "stack=prod"))
		c.OK(err)
		tasks := c.Run(cluster, c.Sleeper(), 3, constrained("attribute:stack == prod"))
		for _, t := range c.tasks(cluster, tasks) {
			if *t.ContainerInstanceArn != arns[1] {
				c.Errorf("a task is on %s", *t.ContainerInstanceArn)
			}
		}
	}},
}

func badAttribute(what, attribute, member string) Case {
	return Case{Name: "PutAttributes refuses " + what, Cite: "model: Attribute." + member, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		_, err := c.putAttributes(cluster, withTarget(c.Machine(cluster), attribute))
		c.Refused(err, "InvalidParameterException", member)
	}}
}

func TestAttribute(t *testing.T) { run(t, attributeCases) }
