// Package fleet has Ashore's nouns: clusters, container instances, task definitions,
// tasks, reservations and names (ARNs).
//
// Desired and observed state are separate records with one writer each. A task consists
// of three of them:
//
//	Task        the placed task; written once, never changed
//	TaskStop    the control plane's order to stop it; without it the task should run
//	TaskReport  the state that its host reports; written from the host's reports alone
//
// Data that the control plane only passes on (container definitions, overrides) has the
// SDK's type and is stored under ECS's wire names. Every stored record keeps members
// that this version does not know in Extra. So an older server that reads, changes and
// writes a record loses nothing of a newer one.
//
// The package imports nothing of ours, except internal/aws/arn.
package fleet
