// Package sim simulates a fleet of hosts. They run our own agent with real servers, over
// TCP, with signed requests and real websockets. Only the container engine is simulated.
// There is no second implementation of the agent.
//
//	Plane ── Server A ◄─ Wire ─┐
//	  │      Server B ◄─ Wire ─┼── Host: agent.Agent ── Machine (runtime.Runtime)
//	etcd                       └── Host: …
//
// A Machine outlives its agent as a real engine does, and counts how often each container
// was started there. Latencies and failures derive from a seed. A Fleet has thousands of
// hosts in one process, each behind a Gate.
package sim
