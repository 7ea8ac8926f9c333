// Package rollout decides what a service's tasks need next: which tasks to launch,
// which to stop, which states its deployments get, and which events people see.
//
// It is one pure function, [Step], of the service, its deployments, its tasks and the
// time. The caller fills an [Input] from one snapshot and stores the whole [Output]
// in one transaction. It calls again when something has changed, or at the time
// [Output.Wake]. Step decides from the state alone, never from what changed, and
// requests nothing twice. If the caller stores an output and calls Step again at the
// same time, Step requests nothing more. There is one exception: the deployment of a
// rollback takes its first step then.
//
// # The life of a deployment
//
//	            steady                      (a later deployment is PRIMARY,
//	IN_PROGRESS ──────► COMPLETED ────────►  no tasks left)  retired
//	    │                                         ▲
//	    └─ failures reach the threshold, ─► FAILED ┘
//	       or someone stopped it             └─► a rollback: a new deployment of
//	                                             the last COMPLETED one's revision
//
// # A rolling update
//
// A task counts while its desired status is RUNNING and it has not STOPPED. A task on
// a lost host does not count. A counted task is one of
//
//	unhealthy  its health checks fail, and the grace period is over; a task that
//	           does not run yet may be unhealthy too
//	pending    it does not run yet
//	young      it runs, and is not known to be healthy
//	healthy    its checks pass; without checks, it has run for HealthyAfter
//
// A task has to leave if it is unhealthy, if its host drains, or if it belongs to an
// older deployment. PRIMARY launches what is missing beside those tasks, as far as
// the maximum allows. For each of its tasks that has become healthy one task leaves,
// the worst first. Tasks leave earlier only where the maximum or the hosts have no
// room. A healthy task then leaves only if more than the minimum are healthy. A
// young task leaves only if more than the minimum are young or healthy.
//
// While PRIMARY fails to start its tasks, or has FAILED, the newest COMPLETED
// deployment before it keeps the service at its minimum. The code calls that
// deployment the fallback. Where PRIMARY has FAILED, the fallback also replaces tasks
// on draining hosts, as far as minimum and maximum allow.
//
// # Tasks that end early
//
// A task that runs and soon ends by itself is replaced. If that happens again and
// again, the replacements wait longer and longer (see [Crashes]). Failures to start
// have a throttle of their own, which is ECS's.
//
// # Rollbacks
//
// A rollback is a deployment with RollbackOf set. It takes over the tasks of all
// older deployments of its revision (see [Adopts]): they count as its own.
package rollout
