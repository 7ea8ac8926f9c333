// Package fleet holds Ashore's nouns: clusters, container instances, task
// definitions, tasks, what they reserve and the names (ARNs) they go by.
//
// Desired and observed state are separate records with one writer each. A task
// is three of them:
//
//	Task        what was placed, written once, never changed
//	TaskStop    the control plane's wish that it end; absent means RUNNING
//	TaskReport  what its host says, written from the host's reports alone
//
// Payload that the control plane only passes on (container definitions,
// overrides) keeps the SDK's type and is stored under ECS's wire names. Every
// stored record carries the members that this version does not know in Extra,
// so that a read-modify-write by an older server loses nothing of a newer one.
//
// The package imports nothing of ours.
package fleet
