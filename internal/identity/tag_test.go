package identity

import (
	"testing"
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
