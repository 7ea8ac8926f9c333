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
	tagGuide   = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html"
	tagAPI     = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html"
	untagAPI   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UntagResource.html"
	listTagAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTagsForResource.html"
	tagShape   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html"
)

func tag(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }

// formatTags returns tags as "k=v", sorted by key.
func formatTags(tags []types.Tag) string {
	var all []string
	for _, t := range tags {
		all = append(all, aws.ToString(t.Key)+"="+aws.ToString(t.Value))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (c *C) tags(arn string) string {
	c.Helper()
	out, err := c.ECS.ListTagsForResource(c.Ctx(), &ecs.ListTagsForResourceInput{ResourceArn: &arn})
	c.OK(err)
	return formatTags(out.Tags)
}

func (c *C) tag(arn string, tags ...types.Tag) {
	c.Helper()
	_, err := c.ECS.TagResource(c.Ctx(), &ecs.TagResourceInput{ResourceArn: &arn, Tags: append([]types.Tag{}, tags...)})
	c.OK(err)
}

func (c *C) untag(arn string, keys ...string) {
	c.Helper()
	_, err := c.ECS.UntagResource(c.Ctx(), &ecs.UntagResourceInput{ResourceArn: &arn, TagKeys: keys})
	c.OK(err)
}

func (c *C) refusesTags(arn, code string, words []string, tags ...types.Tag) {
	c.Helper()
	_, err := c.ECS.TagResource(c.Ctx(), &ecs.TagResourceInput{ResourceArn: &arn, Tags: tags})
	c.Refused(err, code, words...)
}

// clusterARN creates a cluster and returns its ARN.
func (c *C) clusterARN(change ...func(*ecs.CreateClusterInput)) string {
	c.Helper()
	return aws.ToString(c.describe(c.Cluster(change...)).ClusterArn)
}

// definitionARN returns the ARN of family:revision.
func (c *C) definitionARN(ref string) string {
	c.Helper()
	out, err := c.ECS.DescribeTaskDefinition(c.Ctx(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &ref})
	c.OK(err)
	return aws.ToString(out.TaskDefinition.TaskDefinitionArn)
}

// otherARN returns the ARN of another kind of resource, made from a cluster's ARN.
func otherARN(clusterARN, kind string) string {
	return strings.Replace(clusterARN, ":cluster/", ":"+kind+"/", 1)
}

// makeTags returns n tags.
func makeTags(n int) []types.Tag {
	var tags []types.Tag
	for i := range n {
		tags = append(tags, tag(fmt.Sprintf("k%02d", i), ""))
	}
	return tags
}

// checkTagging adds, changes and removes tags of a resource.
func (c *C) checkTagging(arn, before string) {
	c.Helper()
	c.tag(arn, tag("a", "1"), tag("b", "2"))
	c.tag(arn, tag("a", "3"), tag("c", ""))
	all := strings.TrimSpace("a=3 b=2 c= " + before)
	if got := c.tags(arn); got != all {
		c.Errorf("tags: %q, want %q", got, all)
	}
	c.untag(arn, "a", "c", "none")
	left := strings.TrimSpace("b=2 " + before)
	if got := c.tags(arn); got != left {
		c.Errorf("tags: %q, want %q", got, left)
	}
}

// badTagCases are tags that the rules forbid.
func badTagCases() []Case {
	long := strings.Repeat("x", 300)
	var cases []Case
	for name, bad := range map[string]struct {
		tags []types.Tag
		cite string
		say  []string
	}{
		"an empty key":             {[]types.Tag{tag("", "v")}, "model: Tag.key", []string{"key"}},
		"a key of 129":             {[]types.Tag{tag(long[:129], "v")}, "model: Tag.key", []string{"key", "128"}},
		"a value of 257":           {[]types.Tag{tag("k", long[:257])}, "model: Tag.value", []string{"value", "256"}},
		"a key with a star":        {[]types.Tag{tag("a*b", "v")}, tagShape, []string{"key"}},
		"a value with a hash":      {[]types.Tag{tag("k", "a#b")}, tagShape, []string{"value"}},
		"a key with a newline":     {[]types.Tag{tag("a\nb", "v")}, tagShape, []string{"key"}},
		"a key of AWS":             {[]types.Tag{tag("aws:k", "v")}, tagShape, []string{"aws:"}},
		"a key of AWS in capitals": {[]types.Tag{tag("AwS:k", "v")}, tagShape, []string{"aws:"}},
		"a value of AWS":           {[]types.Tag{tag("k", "aws:v")}, tagShape, []string{"aws:"}},
		"a key twice":              {[]types.Tag{tag("k", "1"), tag("k", "2")}, tagShape, []string{"k"}},
		"51 tags":                  {makeTags(51), tagShape, []string{"50"}},
	} {
		cases = append(cases, Case{Name: "TagResource with " + name, Cite: bad.cite, Run: func(c *C) {
			arn := c.clusterARN()
			c.refusesTags(arn, "InvalidParameterException", bad.say, bad.tags...)
			if got := c.tags(arn); got != "" {
				c.Errorf("the refused call left %q", got)
			}
		}})
		cases = append(cases, Case{Name: "CreateCluster with " + name, Cite: bad.cite, Run: func(c *C) {
			_, err := c.ECS.CreateCluster(c.Ctx(), &ecs.CreateClusterInput{ClusterName: aws.String(c.Unique("conformance")), Tags: bad.tags})
			c.Refused(err, "InvalidParameterException", bad.say...)
		}})
	}
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases
}

// goodTagCases are tags that the rules allow.
func goodTagCases() []Case {
	var cases []Case
	for name, good := range map[string]types.Tag{
		"a key of 128 and a value of 256": tag(strings.Repeat("x", 128), strings.Repeat("y", 256)),
		"letters beyond ASCII":            tag("größe", "大"),
		"characters beyond letters":       tag("a b_.:/=+-@9", "a b_.:/=+-@9"),
		"an empty value":                  tag("k", ""),
		"the word aws":                    tag("aws", "aws"),
	} {
		cases = append(cases, Case{Name: "TagResource takes " + name, Cite: tagShape, Run: func(c *C) {
			arn := c.clusterARN()
			c.tag(arn, good)
			if got := c.tags(arn); got != formatTags([]types.Tag{good}) {
				c.Errorf("tags: %q", got)
			}
		}})
	}
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases
}

var tagCases = []Case{
	{Name: "TagResource a cluster", Cite: tagGuide, Run: func(c *C) { c.checkTagging(c.clusterARN(), "") }},
	{Name: "TagResource a task definition", Cite: tagGuide, Run: func(c *C) { c.checkTagging(c.definitionARN(c.Sleeper()), "") }},
	{
		Name: "TagResource a container instance", Cite: tagGuide, Needs: Fleet,
		Run: func(c *C) {
			cluster, _ := c.Fleet(Spec{})
			c.checkTagging(c.Connected(cluster, 1)[0], "")
		},
	},
	{
		Name: "TagResource a task", Cite: tagGuide, Needs: Hosts,
		Run: func(c *C) {
			room := c.Room()
			c.checkTagging(c.Run(room, c.Sleeper(), 1, func(in *ecs.RunTaskInput) { in.Tags = []types.Tag{tag("made", "so")} })[0], "made=so")
		},
	},
	{
		Name: "TagResource a task that has stopped", Cite: tagAPI, Needs: Fleet,
		Run: func(c *C) {
			room := c.Room()
			arn := c.Run(room, c.Sleeper(), 1)[0]
			_, err := c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &room, Task: &arn})
			c.OK(err)
			c.OK(ecs.NewTasksStoppedWaiter(c.ECS, pollOften).Wait(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &room, Tasks: []string{arn}}, patience))
			c.checkTagging(arn, "")
		},
	},
	{
		Name: "TagResource an INACTIVE task definition", Cite: tagAPI, Needs: Fleet,
		Run: func(c *C) {
			ref := c.Sleeper()
			arn := c.definitionARN(ref)
			_, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &ref})
			c.OK(err)
			c.checkTagging(arn, "")
		},
	},
	{
		Name: "TagResource shows in DescribeClusters", Cite: "model: Cluster.tags",
		Run: func(c *C) {
			arn := c.clusterARN()
			c.tag(arn, tag("k", "v"))
			if got := formatTags(c.describe(arn, types.ClusterFieldTags).Tags); got != "k=v" {
				c.Errorf("tags: %q", got)
			}
			if got := formatTags(c.describe(arn).Tags); got != "" {
				c.Errorf("without include: %q", got)
			}
		},
	},
	{
		Name: "TagResource shows in DescribeTaskDefinition", Cite: "model: DescribeTaskDefinitionOutput.tags",
		Run: func(c *C) {
			arn := c.definitionARN(c.Sleeper())
			c.tag(arn, tag("k", "v"))
			out, err := c.ECS.DescribeTaskDefinition(c.Ctx(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
			c.OK(err)
			if formatTags(out.Tags) != "k=v" || out.TaskDefinition.Status != types.TaskDefinitionStatusActive {
				c.Errorf("%+v, %s", out.Tags, out.TaskDefinition.Status)
			}
		},
	},
	{
		Name: "TagResource shows in DescribeTasks", Cite: "model: Task.tags", Needs: Hosts,
		Run: func(c *C) {
			room := c.Room()
			arns := c.Run(room, c.Sleeper(), 1)
			c.tag(arns[0], tag("k", "v"))
			for _, include := range [][]types.TaskField{{types.TaskFieldTags}, nil} {
				out, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &room, Tasks: arns, Include: include})
				c.OK(err)
				if got := formatTags(out.Tasks[0].Tags); (got == "k=v") != (include != nil) {
					c.Errorf("include %v: %q", include, got)
				}
			}
		},
	},
	{
		Name: "TagResource shows in DescribeContainerInstances", Cite: "model: ContainerInstance.tags", Needs: Fleet,
		Run: func(c *C) {
			cluster, _ := c.Fleet(Spec{})
			arns := c.Connected(cluster, 1)
			c.tag(arns[0], tag("k", "v"))
			out, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{
				Cluster: &cluster, ContainerInstances: arns, Include: []types.ContainerInstanceField{types.ContainerInstanceFieldTags},
			})
			c.OK(err)
			if got := formatTags(out.ContainerInstances[0].Tags); got != "k=v" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "TagResource takes no tags as nothing to do", Cite: "model: TagResourceInput.tags", Needs: Fleet,
		Run: func(c *C) {
			arn := c.clusterARN()
			c.tag(arn)
			if got := c.tags(arn); got != "" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "TagResource up to 50 tags", Cite: tagShape,
		Run: func(c *C) {
			arn := c.clusterARN()
			c.tag(arn, makeTags(50)...)
			c.tag(arn, tag("k00", "new"))
			if n := strings.Count(c.tags(arn), "="); n != 50 {
				c.Errorf("%d tags", n)
			}
		},
	},
	{
		Name: "TagResource no 51st tag in a second call", Cite: tagShape,
		Run: func(c *C) {
			arn := c.clusterARN()
			c.tag(arn, makeTags(50)...)
			c.refusesTags(arn, "InvalidParameterException", []string{"50"}, tag("more", ""))
		},
	},
	{
		Name: "keys of tags are case-sensitive", Cite: tagShape,
		Run: func(c *C) {
			arn := c.clusterARN()
			c.tag(arn, tag("k", "1"), tag("K", "2"))
			c.untag(arn, "K")
			if got := c.tags(arn); got != "k=1" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "UntagResource of what is not there", Cite: untagAPI,
		Run: func(c *C) {
			arn := c.clusterARN()
			c.untag(arn, "none")
			c.untag(arn, "none")
		},
	},
	{
		Name: "UntagResource of a key of AWS", Cite: tagShape,
		Run: func(c *C) {
			_, err := c.ECS.UntagResource(c.Ctx(), &ecs.UntagResourceInput{ResourceArn: aws.String(c.clusterARN()), TagKeys: []string{"aws:k"}})
			c.Refused(err, "InvalidParameterException", "aws:")
		},
	},
	{
		Name: "UntagResource of an empty key", Cite: "model: UntagResourceInput.tagKeys",
		Run: func(c *C) {
			_, err := c.ECS.UntagResource(c.Ctx(), &ecs.UntagResourceInput{ResourceArn: aws.String(c.clusterARN()), TagKeys: []string{""}})
			c.Refused(err, "InvalidParameterException", "key")
		},
	},
	{
		Name: "ListTagsForResource without tags", Cite: listTagAPI,
		Run: func(c *C) {
			if got := c.tags(c.clusterARN()); got != "" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "tags given to CreateCluster", Cite: "model: CreateClusterInput.tags",
		Run: func(c *C) {
			if got := c.tags(c.clusterARN(func(in *ecs.CreateClusterInput) { in.Tags = []types.Tag{tag("k", "v")} })); got != "k=v" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "tags given to RegisterTaskDefinition", Cite: "model: RegisterTaskDefinitionInput.tags",
		Run: func(c *C) {
			ref := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) { in.Tags = []types.Tag{tag("k", "v")} })
			if got := c.tags(c.definitionARN(ref)); got != "k=v" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "a bad tag given to RegisterTaskDefinition", Cite: "model: RegisterTaskDefinitionInput.tags",
		Run: func(c *C) {
			_, err := c.ECS.RegisterTaskDefinition(c.Ctx(), &ecs.RegisterTaskDefinitionInput{
				Family: aws.String(c.Unique("conformance")), Tags: []types.Tag{tag("aws:k", "v")},
				ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String("busybox"), Memory: aws.Int32(16)}},
			})
			c.Refused(err, "InvalidParameterException", "aws:")
		},
	},
	{
		Name: "tags that a task gets from its definition", Cite: "model: RunTaskInput.propagateTags", Needs: Hosts,
		Run: func(c *C) {
			room := c.Room()
			ref := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) { in.Tags = []types.Tag{tag("d", "1"), tag("both", "d")} })
			arn := c.Run(room, ref, 1, func(in *ecs.RunTaskInput) {
				in.PropagateTags, in.Tags = types.PropagateTagsTaskDefinition, []types.Tag{tag("both", "t")}
			})[0]
			if got := c.tags(arn); got != "both=t d=1" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "tags that a task does not get from its definition unasked", Cite: "model: RunTaskInput.propagateTags", Needs: Hosts,
		Run: func(c *C) {
			room := c.Room()
			ref := c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) { in.Tags = []types.Tag{tag("d", "1")} })
			if got := c.tags(c.Run(room, ref, 1)[0]); got != "" {
				c.Errorf("tags: %q", got)
			}
		},
	},
	{
		Name: "the managed tag names the cluster", Cite: "model: RunTaskInput.enableECSManagedTags", Needs: Fleet,
		Run: func(c *C) {
			room := c.Room()
			arn := c.Run(room, c.Sleeper(), 1, func(in *ecs.RunTaskInput) { in.EnableECSManagedTags = true })[0]
			if got := c.tags(arn); got != "aws:ecs:clusterName="+room {
				c.Errorf("tags: %q", got)
			}
			c.tag(arn, makeTags(50)...) // the system's tag does not count
		},
	},
	{
		Name: "TagResource without an ARN", Cite: "model: TagResourceInput.resourceArn",
		Run: func(c *C) {
			c.refusesTags("", "InvalidParameterException", []string{"arn"}, tag("k", "v"))
		},
	},
	{
		Name: "TagResource what is no ARN", Cite: "model: TagResourceInput.resourceArn",
		Run: func(c *C) {
			c.refusesTags("not-an-arn", "InvalidParameterException", []string{"arn"}, tag("k", "v"))
		},
	},
	{
		Name: "TagResource of another service's ARN", Cite: "model: TagResourceInput.resourceArn",
		Run: func(c *C) {
			c.refusesTags("arn:aws:s3:::bucket", "InvalidParameterException", []string{"arn"}, tag("k", "v"))
		},
	},
	{
		Name: "TagResource of a kind that has no tags", Cite: tagAPI,
		Run: func(c *C) {
			c.refusesTags(otherARN(c.clusterARN(), "nonsense"), "InvalidParameterException", nil, tag("k", "v"))
		},
	},
	{
		Name: "tagging needs the long format of a task's ARN", Cite: "https://github.com/boto/boto3/issues/2473",
		Run: func(c *C) {
			arn := c.clusterARN()
			short := arn[:strings.Index(arn, ":cluster/")] + ":task/" + nobody
			c.refusesTags(short, "InvalidParameterException", []string{"Long arn format must be used for tagging operations"}, tag("k", "v"))
		},
	},
	{
		Name: "tagging needs the long format of a service's ARN", Cite: "https://github.com/boto/boto3/issues/2473",
		Run: func(c *C) {
			arn := c.clusterARN()
			short := arn[:strings.Index(arn, ":cluster/")] + ":service/web"
			c.refusesTags(short, "InvalidParameterException", []string{"Long arn format must be used for tagging operations"}, tag("k", "v"))
			_, err := c.ECS.ListTagsForResource(c.Ctx(), &ecs.ListTagsForResourceInput{ResourceArn: &short})
			c.Refused(err, "InvalidParameterException", "Long arn format must be used for tagging operations")
		},
	},
	{
		Name: "TagResource a cluster that does not exist", Cite: tagAPI,
		Run: func(c *C) {
			c.refusesTags(c.clusterARN()+"-not", "ClusterNotFoundException", nil, tag("k", "v"))
		},
	},
	{
		Name: "UntagResource a cluster that does not exist", Cite: untagAPI,
		Run: func(c *C) {
			_, err := c.ECS.UntagResource(c.Ctx(), &ecs.UntagResourceInput{ResourceArn: aws.String(c.clusterARN() + "-not"), TagKeys: []string{"k"}})
			c.Refused(err, "ClusterNotFoundException")
		},
	},
	{
		Name: "ListTagsForResource of a cluster that does not exist", Cite: listTagAPI,
		Run: func(c *C) {
			_, err := c.ECS.ListTagsForResource(c.Ctx(), &ecs.ListTagsForResourceInput{ResourceArn: aws.String(c.clusterARN() + "-not")})
			c.Refused(err, "ClusterNotFoundException")
		},
	},
	{
		Name: "tags of a deleted cluster", Cite: "https://github.com/hashicorp/terraform-provider-aws/pull/35524",
		Run: func(c *C) {
			arn := c.clusterARN()
			_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &arn})
			c.OK(err)
			_, err = c.ECS.ListTagsForResource(c.Ctx(), &ecs.ListTagsForResourceInput{ResourceArn: &arn})
			c.Refused(err, "InvalidParameterException", "The specified cluster is inactive. Specify an active cluster and try again.")
			c.refusesTags(arn, "InvalidParameterException", []string{"The specified cluster is inactive. Specify an active cluster and try again."}, tag("k", "v"))
		},
	},
	{
		Name: "TagResource what does not exist in a cluster", Cite: tagAPI,
		Run: func(c *C) {
			arn := c.clusterARN()
			for _, kind := range []string{"task", "container-instance", "service"} {
				c.refusesTags(otherARN(arn, kind)+"/"+nobody, "ResourceNotFoundException", []string{"does not exist"}, tag("k", "v"))
			}
		},
	},
	{
		Name: "ListTagsForResource of what does not exist in a cluster", Cite: listTagAPI,
		Run: func(c *C) {
			arn := c.clusterARN()
			for _, kind := range []string{"task", "container-instance", "service"} {
				_, err := c.ECS.ListTagsForResource(c.Ctx(), &ecs.ListTagsForResourceInput{ResourceArn: aws.String(otherARN(arn, kind) + "/" + nobody)})
				c.Refused(err, "InvalidParameterException", "does not exist")
			}
		},
	},
	{
		Name: "TagResource a task definition that does not exist", Cite: tagAPI,
		Run: func(c *C) {
			arn := c.definitionARN(c.Sleeper())
			c.refusesTags(arn+"0", "ResourceNotFoundException", []string{"task definition"}, tag("k", "v"))
		},
	},
	{
		Name: "TagResource a family without a revision", Cite: tagAPI,
		Run: func(c *C) {
			arn := c.definitionARN(c.Sleeper())
			c.refusesTags(arn[:strings.LastIndexByte(arn, ':')], "InvalidParameterException", []string{"arn"}, tag("k", "v"))
		},
	},
	{
		Name: "TagResource a capacity provider that does not exist", Cite: tagAPI,
		Run: func(c *C) {
			c.refusesTags(otherARN(c.clusterARN(), "capacity-provider"), "ResourceNotFoundException", []string{"capacity provider"}, tag("k", "v"))
		},
	},
}

func TestTag(t *testing.T) { run(t, slices.Concat(tagCases, goodTagCases(), badTagCases())) }
