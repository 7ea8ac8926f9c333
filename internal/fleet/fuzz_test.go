package fleet

import (
	"fmt"
	"strings"
	"testing"
)

// An accepted ARN is one, and its parts are its text.
func FuzzARN(f *testing.F) {
	s := Site{Account: "000000000000", Region: "us-east-1"}
	for _, seed := range []string{
		"", "arn:", "arn:aws:ecs:us-east-1:000000000000:", s.ClusterARN("c"), s.TaskARN("c", "id"), s.InstanceARN("c", "id"),
		s.TaskDefinitionARN("web", 3), s.TaskDefinitionFamilyARN("web"), s.ContainerARN("c", "t", "id"), "web", "web:1", "web:01", "web:99999999999999999999",
		"arn:aws:ecs:us-east-1:000000000000:task/id", "arn:aws:ecs:us-east-1:000000000000:task//id", "arn:aws:iam::000000000000:role/a:b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseARN(text)
		if err == nil {
			if whole := strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Type + "/" + a.Rest}, ":"); whole != text {
				t.Errorf("%q was read as %q", text, whole)
			}
			if !IsARN(text) {
				t.Errorf("%q is no ARN, and was read as one", text)
			}
		}
		if name, ok := s.ClusterName(text); ok && text != "" && name != text && s.ClusterARN(name) != text {
			// The partition may differ from ours. The rest agrees.
			if a.Type != "cluster" || !s.Owns(a) || a.Rest != name {
				t.Errorf("%q was read as the cluster %q", text, name)
			}
		}
		if id, ok := s.MemberID("task", "c", text); ok && id != text {
			if a.Type != "task" || !s.Owns(a) || a.Rest != id && a.Rest != "c/"+id {
				t.Errorf("%q was read as the task %q", text, id)
			}
		}
		if r, err := s.TaskDefinitionRef(text); err == nil {
			if !ValidName(r.Family) || r.Revision < 0 {
				t.Errorf("%q was read as %+v", text, r)
			}
			if r.Revision > 0 {
				if again, err := s.TaskDefinitionRef(s.TaskDefinitionARN(r.Family, r.Revision)); err != nil || again != r {
					t.Errorf("%q was read as %+v, and its ARN as %+v: %v", text, r, again, err)
				}
			}
		}
	})
}

// An accepted range of ports is one, and it means the same when it is written plainly.
func FuzzPortRange(f *testing.F) {
	for _, seed := range []string{"", "1-2", "80-80", "1-65535", "0-1", "2-1", "1-65536", " 1 - 2 ", "-", "1-2-3", "+1-2", "０-１"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		from, to, err := ParsePortRange(text)
		if err != nil {
			return
		}
		if from == 0 || from > to {
			t.Errorf("%q was read as %d-%d", text, from, to)
		}
		if a, b, err := ParsePortRange(fmt.Sprintf("%d-%d", from, to)); err != nil || a != from || b != to {
			t.Errorf("%q was read as %d-%d, and that as %d-%d: %v", text, from, to, a, b, err)
		}
	})
}
