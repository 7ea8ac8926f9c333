package fleet

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/aws/arn"
)

// Partition is the ARN partition of all of Ashore's names.
const Partition = "aws"

// Site says where an installation's resources live: the account and the region in each
// of its ARNs and store keys.
type Site struct {
	Account string
	Region  string
}

func (s Site) arn(resource string) string {
	return arn.ARN{Partition: Partition, Service: "ecs", Region: s.Region, Account: s.Account, Resource: resource}.String()
}

// ClusterARN names a cluster.
func (s Site) ClusterARN(cluster string) string { return s.arn("cluster/" + cluster) }

// InstanceARN names a container instance in ECS's long format.
func (s Site) InstanceARN(cluster, id string) string {
	return s.arn("container-instance/" + cluster + "/" + id)
}

// TaskARN names a task in ECS's long format.
func (s Site) TaskARN(cluster, id string) string { return s.arn("task/" + cluster + "/" + id) }

// TaskDefinitionARN names one revision of a family.
func (s Site) TaskDefinitionARN(family string, revision int) string {
	return s.arn("task-definition/" + family + ":" + strconv.Itoa(revision))
}

// ServiceARN names a service in ECS's long format.
func (s Site) ServiceARN(cluster, name string) string {
	return s.arn("service/" + cluster + "/" + name)
}

// ServiceShortARN names a service in the old format, without its cluster. ECS answers
// with this format for a service that it doesn't find.
func (s Site) ServiceShortARN(name string) string { return s.arn("service/" + name) }

// ServiceRevisionARN names a revision of a service.
func (s Site) ServiceRevisionARN(cluster, service, id string) string {
	return s.arn("service-revision/" + cluster + "/" + service + "/" + id)
}

// ServiceDeploymentARN names a deployment of a service.
func (s Site) ServiceDeploymentARN(cluster, service, id string) string {
	return s.arn("service-deployment/" + cluster + "/" + service + "/" + id)
}

// CapacityProviderARN names a capacity provider.
func (s Site) CapacityProviderARN(name string) string { return s.arn("capacity-provider/" + name) }

// TaskDefinitionFamilyARN names all revisions of a family, as policies do.
func (s Site) TaskDefinitionFamilyARN(family string) string {
	return s.arn("task-definition/" + family + ":*")
}

// ContainerARN names a container of a task.
func (s Site) ContainerARN(cluster, task, id string) string {
	return s.arn("container/" + cluster + "/" + task + "/" + id)
}

// ARN is a parsed ECS ARN. Type is "cluster", "task", "container-instance" …. Rest is
// the text after the first slash.
type ARN struct {
	Partition, Service, Region, Account string
	Type, Rest                          string
}

// IsARN says whether s is meant to be an ARN.
func IsARN(s string) bool { return arn.Is(s) }

// ParseARN parses an ARN. It checks only the form, and not whether the ARN belongs to
// this site.
func ParseARN(s string) (ARN, error) {
	a, err := arn.Parse(s)
	if err != nil {
		return ARN{}, err
	}
	typ, rest, ok := strings.Cut(a.Resource, "/")
	if !ok || rest == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN of an ECS resource", s)
	}
	return ARN{Partition: a.Partition, Service: a.Service, Region: a.Region, Account: a.Account, Type: typ, Rest: rest}, nil
}

// CapacityProviderName resolves a request's reference to a capacity provider: its name
// or its ARN. ok is false for an ARN of another type, account or region.
func (s Site) CapacityProviderName(ref string) (name string, ok bool) {
	if !IsARN(ref) {
		return ref, true
	}
	a, err := ParseARN(ref)
	if err != nil || !s.Owns(a) || a.Type != "capacity-provider" {
		return "", false
	}
	return a.Rest, true
}

// Owns says whether the ARN belongs to this site and to ECS.
func (s Site) Owns(a ARN) bool {
	return a.Service == "ecs" && a.Region == s.Region && a.Account == s.Account
}

// ClusterName resolves a request's reference to a cluster: a name, an ARN, or "", which
// means "default". ok is false for an ARN of another type, account or region.
func (s Site) ClusterName(ref string) (name string, ok bool) {
	if ref == "" {
		return DefaultCluster, true
	}
	if !IsARN(ref) {
		return ref, true
	}
	a, err := ParseARN(ref)
	if err != nil || !s.Owns(a) || a.Type != "cluster" {
		return "", false
	}
	return a.Rest, true
}

// MemberID resolves a request's reference to a task or a container instance of a
// cluster: its id, its long ARN, or the old short ARN without the cluster. ok is false
// for an ARN of another type, account, region or cluster.
func (s Site) MemberID(typ, cluster, ref string) (id string, ok bool) {
	if !IsARN(ref) {
		return ref, true
	}
	a, err := ParseARN(ref)
	if err != nil || !s.Owns(a) || a.Type != typ {
		return "", false
	}
	if in, id, long := strings.Cut(a.Rest, "/"); long {
		return id, in == cluster
	}
	return a.Rest, true
}

// TaskDefinitionRef is a parsed family, family:revision or ARN. Revision 0 means the
// family's latest ACTIVE revision.
type TaskDefinitionRef struct {
	Family   string
	Revision int
}

// RevisionError says that a task definition's revision is not a number.
type RevisionError struct{ Number string }

// Error returns ECS's text.
func (e *RevisionError) Error() string { return "Invalid revision number. Number: " + e.Number }

// TaskDefinitionRef parses a request's reference to a task definition. It returns a
// *RevisionError if only the revision is wrong.
func (s Site) TaskDefinitionRef(ref string) (TaskDefinitionRef, error) {
	name := ref
	if IsARN(ref) {
		a, err := ParseARN(ref)
		if err != nil || !s.Owns(a) || a.Type != "task-definition" {
			return TaskDefinitionRef{}, fmt.Errorf("%q is not the ARN of a task definition of account %s in %s", ref, s.Account, s.Region)
		}
		name = a.Rest
	}
	family, rev, has := strings.Cut(name, ":")
	if !ValidName(family) {
		return TaskDefinitionRef{}, fmt.Errorf("%q is not a task definition's family", family)
	}
	if !has {
		return TaskDefinitionRef{Family: family}, nil
	}
	n, err := strconv.Atoi(rev)
	if err != nil || n < 1 {
		return TaskDefinitionRef{}, &RevisionError{rev}
	}
	return TaskDefinitionRef{Family: family, Revision: n}, nil
}

// ValidName says whether s can name a cluster, family or container: up to 255
// letters, digits, hyphens and underscores (ECS API reference).
func ValidName(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
