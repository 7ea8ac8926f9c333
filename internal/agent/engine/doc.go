// Package engine runs tasks. The life of a task is a pure function: Step takes
// a task's state and one event and yields the new state and the actions to
// take. Engine carries the actions out on a runtime, each in its own goroutine,
// and turns their outcomes into events again; it journals every new state.
//
// A container's life:
//
//	NONE ──pull──▶ PULLED ──create──▶ CREATED ──start──▶ RUNNING ──exit──▶ STOPPED
//	  │               │ (dependencies     │                ▲   │              ▲
//	  │               │  are met)         │                └───┘ restart      │
//	  └───────────────┴───────────────────┴── failure, or the task stops ─────┘
//
// A task is PENDING until each of its containers has started, RUNNING until all
// have stopped, then STOPPED; it never goes back.
//
// What makes a start happen at most once: a container's name derives from its
// task, so a second create collides with the first; a container that has ever
// started is never started again but by its restart policy; and after a crash
// one that exists but has not started is replaced rather than started, while
// the engine's events tell whether the start of before was still under way
// (see Engine.replaceContainer). A start that the engine did not answer is looked up, never
// asked for again (see Engine.resolveLostStart).
//
// What a task has of the host as a whole, its volumes and its cgroup, are resources
// (see Resource): they are provided before its containers, restored when the agent
// starts anew, and released after its containers are removed, each with its own
// place in the journal.
//
// The engine's events are quick and may get lost; its state is what counts. Every
// few minutes, and after each gap, the containers that it has are held against the
// tasks (see Engine.compareContainers): what ended unseen is told to its task, and what runs
// for no task is stopped.
package engine
