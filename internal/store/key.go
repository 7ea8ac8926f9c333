package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// Key names a record of type V.
type Key[V any] struct {
	path string
	row  func(*Snapshot) (*V, int64)
}

func (k Key[V]) String() string { return k.path }

// Guard is the value of a guard key: it says nothing, its revision everything.
type Guard struct{}

// Clusters is the prefix of every cluster and what belongs to it.
const Clusters = "cluster/"

// ClusterKey names a cluster.
func ClusterKey(name string) Key[fleet.Cluster] {
	return Key[fleet.Cluster]{"cluster/" + name, func(s *Snapshot) (*fleet.Cluster, int64) {
		return tab(s).clusters.get(name)
	}}
}

// ClusterMembers is the prefix of everything that belongs to a cluster.
func ClusterMembers(name string) string { return "cluster/" + name + "/" }

// InstanceKey names a container instance.
func InstanceKey(cluster, id string) Key[fleet.Instance] {
	return Key[fleet.Instance]{"cluster/" + cluster + "/instance/" + id, func(s *Snapshot) (*fleet.Instance, int64) {
		r := tab(s).hostAt(cluster, id)
		return r.instance, r.instanceMod
	}}
}

// HostGuard guards what is free on a container instance: whoever reserves there
// compares and rewrites it.
func HostGuard(cluster, id string) Key[Guard] {
	return Key[Guard]{"cluster/" + cluster + "/instance/" + id + "/guard", func(s *Snapshot) (*Guard, int64) {
		r := tab(s).hostAt(cluster, id)
		return r.guard, r.guardMod
	}}
}

// SessionKey names the record of an instance's connected agent.
func SessionKey(cluster, id string) Key[fleet.InstanceSession] {
	return Key[fleet.InstanceSession]{"cluster/" + cluster + "/instance/" + id + "/session", func(s *Snapshot) (*fleet.InstanceSession, int64) {
		r := tab(s).hostAt(cluster, id)
		return r.session, r.sessionMod
	}}
}

// InstanceHealthKey names how an instance has last said it is.
func InstanceHealthKey(cluster, id string) Key[fleet.InstanceHealth] {
	return Key[fleet.InstanceHealth]{"cluster/" + cluster + "/instance/" + id + "/health", func(s *Snapshot) (*fleet.InstanceHealth, int64) {
		r := tab(s).hostAt(cluster, id)
		return r.health, r.healthMod
	}}
}

// TaskKey names a task's immutable record.
func TaskKey(cluster, id string) Key[fleet.Task] {
	return Key[fleet.Task]{"cluster/" + cluster + "/task/" + id, func(s *Snapshot) (*fleet.Task, int64) {
		r, ok := tab(s).tasks.Get(cluster + "/" + id)
		if !ok {
			return nil, 0
		}
		return r.state.Task, r.taskMod
	}}
}

// TaskMembers is the prefix of the records that belong to a task's own.
func TaskMembers(cluster, id string) string { return "cluster/" + cluster + "/task/" + id + "/" }

// TaskStopKey names the wish that a task end.
func TaskStopKey(cluster, id string) Key[fleet.TaskStop] {
	return Key[fleet.TaskStop]{"cluster/" + cluster + "/task/" + id + "/stop", func(s *Snapshot) (*fleet.TaskStop, int64) {
		r, ok := tab(s).tasks.Get(cluster + "/" + id)
		if !ok {
			return nil, 0
		}
		return r.state.Stop, r.stopMod
	}}
}

// TaskReportKey names what a task's host has said of it.
func TaskReportKey(cluster, id string) Key[fleet.TaskReport] {
	return Key[fleet.TaskReport]{"cluster/" + cluster + "/task/" + id + "/report", func(s *Snapshot) (*fleet.TaskReport, int64) {
		r, ok := tab(s).tasks.Get(cluster + "/" + id)
		if !ok {
			return nil, 0
		}
		return r.state.Report, r.reportMod
	}}
}

// TaskAmendmentKey names what was changed of a task since it was placed.
func TaskAmendmentKey(cluster, id string) Key[fleet.TaskAmendment] {
	return Key[fleet.TaskAmendment]{"cluster/" + cluster + "/task/" + id + "/amendment", func(s *Snapshot) (*fleet.TaskAmendment, int64) {
		r, ok := tab(s).tasks.Get(cluster + "/" + id)
		if !ok {
			return nil, 0
		}
		return r.state.Amendment, r.amendMod
	}}
}

// WaitingTaskKey names a task that has no host yet. With its host it gets a
// TaskKey of the same id, in the transaction that deletes this record.
func WaitingTaskKey(cluster, id string) Key[fleet.Task] {
	return Key[fleet.Task]{"cluster/" + cluster + "/waiting/" + id, func(s *Snapshot) (*fleet.Task, int64) {
		return tab(s).waiting.get(cluster + "/" + id)
	}}
}

// WaitingTasks is the prefix of a cluster's tasks that have no host yet.
func WaitingTasks(cluster string) string { return "cluster/" + cluster + "/waiting/" }

// TaskHealthKey names how a task's containers have last been.
func TaskHealthKey(cluster, id string) Key[fleet.TaskHealth] {
	return Key[fleet.TaskHealth]{"cluster/" + cluster + "/task/" + id + "/health", func(s *Snapshot) (*fleet.TaskHealth, int64) {
		r, ok := tab(s).tasks.Get(cluster + "/" + id)
		if !ok {
			return nil, 0
		}
		return r.state.Health, r.healthMod
	}}
}

// CapacityProviderKey names a capacity provider.
func CapacityProviderKey(name string) Key[fleet.CapacityProvider] {
	return Key[fleet.CapacityProvider]{"capacityprovider/" + name, func(s *Snapshot) (*fleet.CapacityProvider, int64) {
		return tab(s).providers.get(name)
	}}
}

// AccountSettingsKey names the settings of a principal, by its ARN, or with ""
// the account's defaults.
func AccountSettingsKey(principal string) Key[fleet.AccountSettings] {
	name := settingsName(principal)
	return Key[fleet.AccountSettings]{"accountsettings/" + name, func(s *Snapshot) (*fleet.AccountSettings, int64) {
		return tab(s).settings.get(name)
	}}
}

// settingsName stands for a principal in a key: ARNs have slashes.
func settingsName(principal string) string {
	if principal == "" {
		return "default"
	}
	sum := sha256.Sum256([]byte(principal))
	return hex.EncodeToString(sum[:])
}

// TokenKey names what a clientToken brought about; hash is of the token, whose
// text may be anything.
func TokenKey(cluster, hash string) Key[fleet.Token] {
	return Key[fleet.Token]{"cluster/" + cluster + "/token/" + hash, func(s *Snapshot) (*fleet.Token, int64) {
		return tab(s).tokens.get(cluster + "/" + hash)
	}}
}

// FamilyKey names a task definition's family.
func FamilyKey(name string) Key[fleet.Family] {
	return Key[fleet.Family]{"family/" + name, func(s *Snapshot) (*fleet.Family, int64) {
		return tab(s).families.get(name)
	}}
}

// FamilyMembers is the prefix of a family's revisions.
func FamilyMembers(name string) string { return "family/" + name + "/" }

// TaskDefinitionKey names one revision's immutable record.
func TaskDefinitionKey(family string, revision int) Key[fleet.TaskDefinition] {
	rev := revisionKey(family, revision)
	return Key[fleet.TaskDefinition]{"family/" + strings.Replace(rev, "/", "/revision/", 1), func(s *Snapshot) (*fleet.TaskDefinition, int64) {
		return tab(s).definitions.get(rev)
	}}
}

// TaskDefinitionStateKey names the changing part of a revision.
func TaskDefinitionStateKey(family string, revision int) Key[fleet.TaskDefinitionState] {
	rev := revisionKey(family, revision)
	return Key[fleet.TaskDefinitionState]{"family/" + strings.Replace(rev, "/", "/revision/", 1) + "/state", func(s *Snapshot) (*fleet.TaskDefinitionState, int64) {
		return tab(s).definitionStates.get(rev)
	}}
}

// AccessKeyKey names an access key by its id.
func AccessKeyKey(id string) Key[fleet.AccessKey] {
	return Key[fleet.AccessKey]{"accesskey/" + id, func(s *Snapshot) (*fleet.AccessKey, int64) {
		return tab(s).accessKeys.get(id)
	}}
}

// HostKey names a host's principal.
func HostKey(name string) Key[fleet.Host] {
	return Key[fleet.Host]{"host/" + name, func(s *Snapshot) (*fleet.Host, int64) {
		return tab(s).principals.get(name)
	}}
}

// electionKey names the record of who leads.
func electionKey(name string) Key[Election] {
	return Key[Election]{"election/" + name, func(s *Snapshot) (*Election, int64) {
		return tab(s).elections.get(name)
	}}
}

// CapacityProviders is the prefix of every capacity provider.
const CapacityProviders = "capacityprovider/"

// AccessKeys is the prefix of every access key.
const AccessKeys = "accesskey/"

// revisionKey pads the number so that text order is number order: ECS allows
// 1,000,000 revisions a family.
func revisionKey(family string, revision int) string {
	return fmt.Sprintf("%s/%08d", family, revision)
}
