// Package rollout decides what a service's tasks need next: which to launch,
// which to stop, what its deployments have come to and what to tell people.
//
// It is one pure function, [Step], of the service, its deployments, its tasks and
// the time. The caller fills an [Input] from one snapshot, stores the [Output]
// whole, in one transaction, and calls again when something has changed or the
// time is [Output.Wake]. Step decides from the state alone and never from what
// changed, and asks for nothing twice: on the state that its own output made it
// asks for nothing more at the same time, but that a rollback's deployment takes
// its first step then.
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
// Tasks count while they are wanted (desired RUNNING) and not STOPPED; those on a
// lost host do not. A counted task is one of
//
//	unhealthy  its health checks say so, and the grace period is over; a task that
//	           does not run yet may be so too
//	pending    it does not run yet
//	young      it runs, and is not known to be healthy
//	healthy    its checks say so; without checks, it has run for HealthyAfter
//
// A task has to leave if it is unhealthy, on a draining host or of an older
// deployment. PRIMARY launches what is missing beside those, as the maximum
// allows; one leaves, the worst first, for each that has become healthy. Only
// where the maximum or the hosts have no room do they leave earlier, and then
// never so that fewer than the minimum are healthy, or, of those that run, may
// soon be.
//
// While PRIMARY fails to start its tasks, or has FAILED, the newest COMPLETED
// deployment before it keeps the service at its minimum. Where it has FAILED that
// deployment also replaces what is on draining hosts, as minimum and maximum allow.
//
// # Tasks that end early
//
// What runs and ends by itself at once is replaced more and more slowly (see
// [Crashes]); failures to start have a throttle of their own, which is ECS's.
//
// # Rollbacks
//
// A rollback is a deployment with RollbackOf set, and takes over the tasks of all
// older deployments of its revision (see [Adopts]): they count as its own.
package rollout
