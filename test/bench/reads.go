package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A read is a call that lists or describes something.
type read struct {
	operation string
	what      string // "100 tasks", "filter by family, page 500"
	call      func(ctx context.Context) error
}

// readBudget is the highest allowed p99 of a list or describe call.
const readBudget = 20 * time.Millisecond

// measureReads measures every list and describe operation on a store of full size, with
// the SDK's client over TCP through the front door. There is only one caller, so it
// measures what a call takes, not what it waits for.
func measureReads(ctx context.Context, times int, profiles, dir string) (r *report, err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "reads-"); err != nil { // short, because it has unix sockets
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	w := &world{dir: dir}
	if _, err := os.Stat(w.donePath()); err != nil {
		began := time.Now()
		if err := w.fill(ctx); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "the records were made in %.0f s\n", time.Since(began).Seconds())
	}
	p, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	reads, err := w.reads(ctx, p.api, p.operations())
	if err != nil {
		return nil, err
	}
	if err := checkComplete(reads, p.operations()); err != nil {
		return nil, err
	}
	r = &report{Machine: thisMachine("")}
	var slow []string
	for _, x := range reads {
		s, err := timeCalls(ctx, times, x.call)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", x.operation, x.what, err)
		}
		what := x.operation + ": " + x.what
		r.add(result{What: what + ", p50", Unit: "ms", Value: ms(s.median())})
		r.add(result{What: what + ", p99", Unit: "ms", Value: ms(s.at(99)), Budget: "under 20 ms", Met: met(s.at(99) < readBudget)})
		if s.at(99) < readBudget {
			continue
		}
		slow = append(slow, what)
		if profiles != "" {
			name := strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
					return r
				}
				return '-'
			}, what)
			if err := profile(ctx, profiles, name, x.call); err != nil {
				return nil, err
			}
		}
	}
	if len(slow) > 0 {
		fmt.Fprintf(os.Stderr, "over the budget: %s\n", strings.Join(slow, "; "))
	}
	return r, nil
}

// timeCalls makes calls one after the other. The first ones don't count.
func timeCalls(ctx context.Context, times int, call func(context.Context) error) (sample, error) {
	var s sample
	for i := range times + times/10 {
		at := time.Now()
		if err := call(ctx); err != nil {
			return nil, err
		}
		if i >= times/10 {
			s = append(s, time.Since(at))
		}
	}
	return s, nil
}

// checkComplete returns an error if a served list or describe operation is not measured.
func checkComplete(reads []read, served []string) error {
	measured := map[string]bool{}
	for _, r := range reads {
		measured[r.operation] = true
	}
	for _, op := range served {
		isRead := strings.HasPrefix(op, "List") || strings.HasPrefix(op, "Describe") || strings.HasPrefix(op, "Get")
		if isRead && !measured[op] {
			return fmt.Errorf("%s is served and not measured", op)
		}
	}
	return nil
}

// reads returns all measured calls. Each checks its answer.
func (w *world) reads(ctx context.Context, api *ecs.Client, served []string) ([]read, error) {
	var all []read
	add := func(operation, what string, call func(context.Context) error) {
		if slices.Contains(served, operation) {
			all = append(all, read{operation, what, call})
		}
	}
	cluster := aws.String(bigCluster)

	for _, x := range []struct {
		what     string
		clusters []string
		include  []types.ClusterField
	}{
		{"1 with STATISTICS", []string{bigCluster}, []types.ClusterField{types.ClusterFieldStatistics}},
		{"1 with everything", []string{bigCluster}, types.ClusterField("").Values()},
		{"100 with everything", w.clusters(100), types.ClusterField("").Values()},
	} {
		add("DescribeClusters", x.what, func(ctx context.Context) error {
			out, err := api.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: x.clusters, Include: x.include})
			if err != nil {
				return err
			}
			return checkCount(len(out.Clusters), len(x.clusters), nil)
		})
	}

	listClusters := func(ctx context.Context, token *string) ([]string, *string, error) {
		out, err := api.ListClusters(ctx, &ecs.ListClustersInput{NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.ClusterArns, out.NextToken, nil
	}
	listTasks := func(in ecs.ListTasksInput) lister {
		return func(ctx context.Context, token *string) ([]string, *string, error) {
			in := in
			in.Cluster, in.NextToken = cluster, token
			out, err := api.ListTasks(ctx, &in)
			if err != nil {
				return nil, nil, err
			}
			return out.TaskArns, out.NextToken, nil
		}
	}
	listInstances := func(in ecs.ListContainerInstancesInput) lister {
		return func(ctx context.Context, token *string) ([]string, *string, error) {
			in := in
			in.Cluster, in.NextToken = cluster, token
			out, err := api.ListContainerInstances(ctx, &in)
			if err != nil {
				return nil, nil, err
			}
			return out.ContainerInstanceArns, out.NextToken, nil
		}
	}
	listDefinitions := func(in ecs.ListTaskDefinitionsInput) lister {
		return func(ctx context.Context, token *string) ([]string, *string, error) {
			in := in
			in.NextToken = token
			out, err := api.ListTaskDefinitions(ctx, &in)
			if err != nil {
				return nil, nil, err
			}
			return out.TaskDefinitionArns, out.NextToken, nil
		}
	}
	listFamilies := func(in ecs.ListTaskDefinitionFamiliesInput) lister {
		return func(ctx context.Context, token *string) ([]string, *string, error) {
			in := in
			in.NextToken = token
			out, err := api.ListTaskDefinitionFamilies(ctx, &in)
			if err != nil {
				return nil, nil, err
			}
			return out.Families, out.NextToken, nil
		}
	}
	listAttributes := func(in ecs.ListAttributesInput) lister {
		return func(ctx context.Context, token *string) ([]string, *string, error) {
			in := in
			in.Cluster, in.TargetType, in.NextToken = cluster, types.TargetTypeContainerInstance, token
			out, err := api.ListAttributes(ctx, &in)
			if err != nil {
				return nil, nil, err
			}
			return make([]string, len(out.Attributes)), out.NextToken, nil
		}
	}
	w.instance, w.tasks = "", nil
	some, _, err := listInstances(ecs.ListContainerInstancesInput{})(ctx, nil)
	if err != nil {
		return nil, err
	}
	w.instance = some[len(some)/2]
	if w.tasks, _, err = listTasks(ecs.ListTasksInput{})(ctx, nil); err != nil {
		return nil, err
	}
	family := aws.String(familyName(7))
	active, running, stopped := types.ContainerInstanceStatusActive, types.DesiredStatusRunning, types.DesiredStatusStopped
	for _, x := range []struct {
		operation, what string
		list            lister
		page            int // 0 is the first page
		items           int // on that page
	}{
		{"ListClusters", "first page", listClusters, 0, 100},
		{"ListTasks", "first page", listTasks(ecs.ListTasksInput{}), 0, 100},
		{"ListTasks", "page 500", listTasks(ecs.ListTasksInput{}), 500, 100},
		{"ListTasks", "by family", listTasks(ecs.ListTasksInput{Family: family}), 0, runningTasks / families},
		{"ListTasks", "by startedBy", listTasks(ecs.ListTasksInput{StartedBy: aws.String("batch-7")}), 0, runningTasks / starters},
		{"ListTasks", "by startedBy that nobody is", listTasks(ecs.ListTasksInput{StartedBy: aws.String("nobody")}), 0, 0},
		{"ListTasks", "by instance", listTasks(ecs.ListTasksInput{ContainerInstance: &w.instance}), 0, runningTasks / instances},
		{"ListTasks", "by launch type that none has", listTasks(ecs.ListTasksInput{LaunchType: types.LaunchTypeFargate}), 0, 0},
		{"ListTasks", "by desired status RUNNING, page 500", listTasks(ecs.ListTasksInput{DesiredStatus: running}), 500, 100},
		{"ListTasks", "by desired status STOPPED", listTasks(ecs.ListTasksInput{DesiredStatus: stopped}), 0, 100},
		{"ListContainerInstances", "first page", listInstances(ecs.ListContainerInstancesInput{}), 0, 100},
		{"ListContainerInstances", "page 25", listInstances(ecs.ListContainerInstancesInput{}), 25, 100},
		{"ListContainerInstances", "by status", listInstances(ecs.ListContainerInstancesInput{Status: active}), 25, 100},
		{"ListContainerInstances", "by an attribute of all", listInstances(ecs.ListContainerInstancesInput{Filter: aws.String("attribute:ecs.os-type == linux")}), 0, 100},
		{"ListContainerInstances", "by a query that few match", listInstances(ecs.ListContainerInstancesInput{
			Filter: aws.String(`attribute:rack == r-7 and runningTasksCount > 5 and not (agentVersion < 0.1)`)}), 0, instances / racks},
		{"ListContainerInstances", "by a query that none matches", listInstances(ecs.ListContainerInstancesInput{
			Filter: aws.String(`attribute:rack =~ x-.* or attribute:stack in [prod, test]`)}), 0, 0},
		{"ListTaskDefinitions", "first page", listDefinitions(ecs.ListTaskDefinitionsInput{}), 0, 100},
		{"ListTaskDefinitions", "page 15", listDefinitions(ecs.ListTaskDefinitionsInput{}), 15, 100},
		{"ListTaskDefinitions", "of a family", listDefinitions(ecs.ListTaskDefinitionsInput{FamilyPrefix: family}), 0, revisions - 1},
		{"ListTaskDefinitions", "newest first", listDefinitions(ecs.ListTaskDefinitionsInput{Sort: types.SortOrderDesc}), 0, 100},
		{"ListTaskDefinitions", "INACTIVE", listDefinitions(ecs.ListTaskDefinitionsInput{Status: types.TaskDefinitionStatusInactive}), 0, 100},
		{"ListTaskDefinitions", "DELETE_IN_PROGRESS, of which there are none", listDefinitions(ecs.ListTaskDefinitionsInput{Status: types.TaskDefinitionStatusDeleteInProgress}), 0, 0},
		{"ListTaskDefinitionFamilies", "first page", listFamilies(ecs.ListTaskDefinitionFamiliesInput{}), 0, 100},
		{"ListTaskDefinitionFamilies", "page 5", listFamilies(ecs.ListTaskDefinitionFamiliesInput{}), 5, 100},
		{"ListTaskDefinitionFamilies", "ACTIVE, by prefix", listFamilies(ecs.ListTaskDefinitionFamiliesInput{FamilyPrefix: aws.String("family-00"), Status: types.TaskDefinitionFamilyStatusActive}), 0, 100},
		{"ListTaskDefinitionFamilies", "INACTIVE, of which there are none", listFamilies(ecs.ListTaskDefinitionFamiliesInput{Status: types.TaskDefinitionFamilyStatusInactive}), 0, 0},
		{"ListAttributes", "first page", listAttributes(ecs.ListAttributesInput{}), 0, 100},
		{"ListAttributes", "page 100", listAttributes(ecs.ListAttributesInput{}), 100, 100},
		{"ListAttributes", "by name and value", listAttributes(ecs.ListAttributesInput{AttributeName: aws.String("rack"), AttributeValue: aws.String("r-7")}), 0, instances / racks},
		{"ListAttributes", "by a name that none has", listAttributes(ecs.ListAttributesInput{AttributeName: aws.String("none")}), 0, 0},
	} {
		var token *string
		if !slices.Contains(served, x.operation) {
			continue
		}
		for range x.page {
			if _, token, err = x.list(ctx, token); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", x.operation, x.what, err)
			}
			if token == nil {
				return nil, fmt.Errorf("%s: %s: there is no page %d", x.operation, x.what, x.page)
			}
		}
		add(x.operation, x.what, func(ctx context.Context) error {
			items, _, err := x.list(ctx, token)
			return checkCount(len(items), x.items, err)
		})
	}

	for _, n := range []int{1, 10, 100} {
		add("DescribeTasks", fmt.Sprintf("%d with TAGS", n), func(ctx context.Context) error {
			out, err := api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: cluster, Tasks: w.tasks[:n], Include: []types.TaskField{types.TaskFieldTags}})
			if err != nil {
				return err
			}
			return checkCount(len(out.Tasks), n, nil)
		})
		add("DescribeContainerInstances", fmt.Sprintf("%d with everything", n), func(ctx context.Context) error {
			out, err := api.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{Cluster: cluster, ContainerInstances: some[:n], Include: types.ContainerInstanceField("").Values()})
			if err != nil {
				return err
			}
			return checkCount(len(out.ContainerInstances), n, nil)
		})
	}
	for what, ref := range map[string]string{"newest of a family": *family, "a revision": *family + ":2"} {
		add("DescribeTaskDefinition", what, func(ctx context.Context) error {
			_, err := api.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &ref, Include: types.TaskDefinitionField("").Values()})
			return err
		})
	}
	add("DescribeCapacityProviders", "all", func(ctx context.Context) error {
		_, err := api.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{Include: types.CapacityProviderField("").Values()})
		return err
	})
	add("GetTaskProtection", "10 tasks", func(ctx context.Context) error {
		out, err := api.GetTaskProtection(ctx, &ecs.GetTaskProtectionInput{Cluster: cluster, Tasks: w.tasks[:10]})
		if err != nil {
			return err
		}
		return checkCount(len(out.ProtectedTasks)+len(out.Failures), 10, nil)
	})
	add("ListAccountSettings", "effective ones", func(ctx context.Context) error {
		out, err := api.ListAccountSettings(ctx, &ecs.ListAccountSettingsInput{EffectiveSettings: true, MaxResults: 10})
		if err == nil && len(out.Settings) == 0 {
			err = errors.New("there are none")
		}
		return err
	})
	for what, arn := range map[string]string{"a task's": w.tasks[0], "an instance's": w.instance} {
		add("ListTagsForResource", what, func(ctx context.Context) error {
			_, err := api.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: &arn})
			return err
		})
	}
	add("DiscoverPollEndpoint", "as an agent does", func(ctx context.Context) error {
		_, err := api.DiscoverPollEndpoint(ctx, &ecs.DiscoverPollEndpointInput{Cluster: cluster, ContainerInstance: &w.instance})
		return err
	})
	services, err := serviceReads(ctx, api)
	return append(all, services...), err
}

// checkCount returns err, or an error if a call has not answered n items.
func checkCount(got, n int, err error) error {
	if err == nil && got != n {
		err = fmt.Errorf("%d answered, not %d", got, n)
	}
	return err
}

// A lister returns a page and the token of the next page.
type lister func(ctx context.Context, token *string) (items []string, next *string, err error)
