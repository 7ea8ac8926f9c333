// Package engine runs tasks. The life of a task is a pure function: Step takes a task's
// state and one event. It changes the state and returns the actions that follow. Engine
// carries out the actions on a runtime, each in its own goroutine, and turns their
// outcomes into new events. It journals every new state.
//
// A container's life:
//
//	NONE ──pull──▶ PULLED ──create──▶ CREATED ──start──▶ RUNNING ──exit──▶ STOPPED
//	  │               │ (dependencies     │                ▲   │              ▲
//	  │               │  are met)         │                └───┘ restart      │
//	  └───────────────┴───────────────────┴── failure, or the task stops ─────┘
//
// A task is PENDING until all of its containers have started. Then it is RUNNING until all
// of them have stopped, and then STOPPED. It never goes back.
//
// A container starts at most once, for these reasons:
//   - A container's name derives from its task, so a second create collides with the first.
//   - Only the restart policy starts a container again that has ever started.
//   - After a crash the engine replaces a container that exists but has not started,
//     and does not start it. The runtime's events show whether an earlier start was
//     still under way (see Engine.replaceContainer).
//   - If the runtime did not answer a start, the engine looks up its result and never
//     sends the start again (see Engine.resolveLostStart).
//
// Volumes and a cgroup belong to a task as a whole; they are resources (see Resource). The
// engine provides them before the task's containers, restores them when the agent starts
// again, and releases them after it removed the containers. The journal has a record for
// each of them.
//
// The runtime's events are quick but may get lost, so its state decides. Every few
// minutes, and after each gap in the event stream, the engine compares the runtime's
// containers with its tasks (see Engine.compareContainers). It reports to a task what
// ended unseen, and stops what runs for no task.
package engine
