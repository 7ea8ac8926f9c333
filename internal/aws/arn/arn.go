// Package arn parses and writes ARNs of any service.
package arn

import (
	"fmt"
	"strings"
)

// An ARN names a resource: arn:partition:service:region:account:resource. Region and
// Account are empty if the service's resources have none.
type ARN struct {
	Partition string // "aws"
	Service   string // "ecs"
	Region    string
	Account   string
	Resource  string // "cluster/c", "log-group:/ecs/web:*", "bucket/key": it may contain colons and slashes
}

const prefix = "arn:"

// Is says whether s is meant to be an ARN.
func Is(s string) bool { return strings.HasPrefix(s, prefix) }

// Parse parses an ARN. It only checks that there are six parts, and that partition,
// service and resource are not empty.
func Parse(s string) (ARN, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	var a ARN
	for _, part := range []*string{&a.Partition, &a.Service, &a.Region, &a.Account} {
		if ok {
			*part, rest, ok = strings.Cut(rest, ":")
		}
	}
	if a.Resource = rest; !ok || a.Partition == "" || a.Service == "" || a.Resource == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN", s)
	}
	return a, nil
}

// String returns the ARN as text.
func (a ARN) String() string {
	return prefix + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Cut splits the resource into its type and its id, at the first slash or colon:
// "cluster" and "c", "log-group" and "/ecs/web:*". If the resource has no type, as
// SQS's queues have none, sep is 0 and id is the whole resource. For S3 the two are
// bucket and key.
func (a ARN) Cut() (typ string, sep byte, id string) {
	i := strings.IndexAny(a.Resource, "/:")
	if i < 0 {
		return "", 0, a.Resource
	}
	return a.Resource[:i], a.Resource[i], a.Resource[i+1:]
}
