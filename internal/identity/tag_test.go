package identity

import (
	"errors"
	"testing"

	"github.com/ashore/ashore/internal/iam"
)

// A host may tag the resources that it creates, and may not call TagResource.
func TestHostTagsWhatItMakes(t *testing.T) {
	st, _ := open(t)
	a, mine := NewAuthorizer(st), Principal{Kind: Host, Name: "a", ARN: HostARN(site, "a")}
	for operation, ok := range map[string]bool{"": false, "RegisterContainerInstance": true, "CreateCluster": true, "RunTask": false, "CreateCapacityProvider": false} {
		var context []string
		if operation != "" {
			context = []string{KeyCreateAction, operation}
		}
		if err := ask(t, a, mine, "ecs:TagResource", []string{site.InstanceARN("c", "*")}, context...); (err == nil) != ok {
			t.Errorf("as part of %q: %v", operation, err)
		}
	}
}

// A condition reads the tags of the request's resource, by AWS's key or by the key of the
// action's service. A decision that has read tags says so.
func TestConditionsReadTags(t *testing.T) {
	st, _ := open(t)
	a, caller := NewAuthorizer(st), Principal{Kind: Admin}
	broken := errors.New("it can't be read")
	for _, x := range []struct {
		key, action, resource string
		allowed, used         bool
	}{
		{"aws:ResourceTag/team", "ecs:DescribeTasks", "blue", true, true},
		{"aws:ResourceTag/Team", "ecs:DescribeTasks", "blue", true, true},
		{"ecs:ResourceTag/team", "ecs:DescribeTasks", "blue", true, true},
		{"aws:ResourceTag/team", "ecs:DescribeTasks", "red", false, true},
		{"iam:ResourceTag/team", "ecs:DescribeTasks", "blue", false, false},
		{"aws:ResourceTag/team", "ecs:DescribeTasks", "*", false, false},
		{"aws:ResourceTag/other", "ecs:DescribeTasks", "blue", false, true},
	} {
		a.managed = managed{Admin: {must(iam.New("p", iam.Statement{Effect: iam.Allow, Action: []string{"*"}, Resource: []string{"*"},
			Condition: map[string]map[string][]string{"StringEquals": {x.key: {"blue"}}}}))}}
		r := Request{Caller: caller, Action: x.action, Resources: []string{x.resource}, Tags: func(resource string) ([]Tag, error) {
			return []Tag{{"TEAM", resource}, {"a", "blue"}}, nil
		}}
		d, err := a.Decide(st.Snapshot(), r)
		if err != nil || d.Allowed != x.allowed || d.UsedRecords != x.used {
			t.Errorf("%s of %s: allowed %v, by records %v, %v", x.key, x.resource, d.Allowed, d.UsedRecords, err)
		}
		r.Tags = func(string) ([]Tag, error) { return nil, broken }
		if d, err := a.Decide(st.Snapshot(), r); x.used != errors.Is(err, broken) || d.Allowed {
			t.Errorf("%s of %s, which can't be read: %v, %v", x.key, x.resource, d.Allowed, err)
		}
	}
}
