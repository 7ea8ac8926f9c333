// Package sim is a fleet of simulated hosts: our own agent, talking to real
// servers over TCP with signed requests and real websockets, on a container
// engine that only pretends. There is no second implementation of the agent.
//
//	Plane ── Server A ◄─ Wire ─┐
//	  │      Server B ◄─ Wire ─┼── Host: agent.Agent ── Machine (runtime.Runtime)
//	etcd                       └── Host: …
//
// A Machine outlives its agent as a real engine does, and is the witness of how
// often each container was started there. Latencies and failures come from a
// seed. A Fleet is thousands of hosts in one process, each behind a Gate.
package sim
