//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ashore/ashore/test/cluster/lan"
)

// fault is a fault that lasts for some time, in one process, or between one process and
// others.
type fault struct {
	name string
	// leaves is the server that can't lead meanwhile, empty if there is none.
	leaves string
	begin  func() error
	end    func() error
}

// faults returns all possible faults of a world, by kind.
func (w *world) faults() (kinds [][]fault) {
	var kills, agents, moves, members, pauses, freezes, stores, peers, sessions, callers []fault
	for _, s := range w.servers {
		kills = append(kills, w.killFault(s, s.name))
		pauses = append(pauses, fault{
			name: "pause " + s.name, leaves: s.name,
			begin: func() error { return s.signal(syscall.SIGSTOP) },
			end:   func() error { return s.signal(syscall.SIGCONT) },
		})
		freezes = append(freezes, w.freezeFault(s))
		stores = append(stores, w.cutFault(s.place, "all etcd members", s.name, w.membersBut(nil)))
		sessions = append(sessions, w.cutFault(s.place, "all hosts", "", func() (out []netip.Addr) {
			for _, h := range w.hosts {
				out = append(out, h.place.Addr)
			}
			return out
		}))
		for i, c := range w.clients {
			callers = append(callers, w.cutFault(s.place, fmt.Sprintf("client %d", i), "", func() []netip.Addr { return []netip.Addr{c.addr} }))
		}
	}
	for _, m := range w.members {
		members = append(members, w.killFault(m, ""))
		peers = append(peers, w.cutFault(m.place, "the other members", "", w.membersBut(m)),
			w.cutFault(m.place, "members and servers", "", func() []netip.Addr {
				out := w.membersBut(m)()
				for _, s := range w.servers {
					out = append(out, s.place.Addr)
				}
				return out
			}))
	}
	for _, h := range w.hosts {
		agents = append(agents, w.killFault(h.agent, ""))
		moves = append(moves, w.moveFault(h))
	}
	kinds = [][]fault{kills, members, agents, moves, pauses, stores, peers, sessions, callers}
	if *forFlag > 0 {
		kinds = append(kinds, freezes) // each takes half a minute
	}
	return kinds
}

// named returns the kinds of faults with a text in their names.
func named(kinds [][]fault, text string) (out [][]fault) {
	for _, k := range kinds {
		if k = slices.DeleteFunc(k, func(f fault) bool { return !strings.Contains(f.name, text) }); len(k) > 0 {
			out = append(out, k)
		}
	}
	return out
}

func (w *world) membersBut(m *process) func() []netip.Addr {
	return func() (out []netip.Addr) {
		for _, other := range w.members {
			if other != m {
				out = append(out, other.place.Addr)
			}
		}
		return out
	}
}

// killFault kills a process. At its end it restarts the process.
func (w *world) killFault(p *process, leaves string) fault {
	return fault{
		name: "kill " + p.name, leaves: leaves,
		begin: func() error { p.kill(); return nil },
		end:   p.start,
	}
}

// freezeFault stops a server's process until every host has moved to another server. When
// the process continues, its connections and its lease are gone.
func (w *world) freezeFault(p *process) fault {
	var began time.Time
	return fault{
		name: "freeze " + p.name, leaves: p.name,
		begin: func() error {
			began = time.Now()
			return p.signal(syscall.SIGSTOP)
		},
		end: func() error {
			w.eventually("every host has left "+p.name, func() error {
				for _, h := range w.hosts {
					if is, err := w.serverOf(w.ctx, h); err != nil || is == p.name {
						return errors.Join(err, fmt.Errorf("%s is connected to %q", h.name, is))
					}
				}
				return nil
			})
			w.t.Logf("every host had left %s after %s", p.name, time.Since(began).Round(100*time.Millisecond))
			return p.signal(syscall.SIGCONT)
		},
	}
}

// moveFault cuts a host off from its server and restarts its agent, which connects to
// another server. The old server learns late that its connection has ended. It must not
// end the new connection.
func (w *world) moveFault(h *host) fault {
	was := ""
	return fault{
		name: "move " + h.name,
		begin: func() (err error) {
			if was, err = w.serverOf(w.ctx, h); err != nil {
				return err
			}
			for _, s := range w.servers {
				if s.name == was {
					err = w.lan.Cut(w.ctx, h.place.Addr, s.place.Addr)
				}
			}
			h.agent.kill()
			return errors.Join(err, h.agent.start())
		},
		end: func() error {
			w.eventually(h.name+" is connected to another server than "+was, func() error {
				is, err := w.serverOf(w.ctx, h)
				if err == nil && is == was {
					err = errors.New("it is not")
				}
				return err
			})
			return w.lan.RestoreAll(w.ctx)
		},
	}
}

// cutFault drops all packets between a place and others.
func (w *world) cutFault(p *lan.Place, from, leaves string, others func() []netip.Addr) fault {
	return fault{
		name: fmt.Sprintf("cut %s off from %s", p.Name, from), leaves: leaves,
		begin: func() error {
			for _, a := range others() {
				if err := w.lan.Cut(w.ctx, p.Addr, a); err != nil {
					return err
				}
			}
			return nil
		},
		end: func() error { return w.lan.RestoreAll(w.ctx) },
	}
}

// turn is one fault of a schedule. Most faults of servers are faults of the present
// leader.
type turn struct {
	fault  fault
	kind   []fault
	leader bool
	lasts  time.Duration
}

// schedule draws faults: in each round one of each kind, in a random order.
func schedule(rng *rand.Rand, kinds [][]fault, n int) (out []turn) {
	for len(out) < n {
		for _, k := range rng.Perm(len(kinds)) {
			out = append(out, turn{
				fault: kinds[k][rng.IntN(len(kinds[k]))], kind: kinds[k], leader: rng.IntN(4) > 0,
				lasts: 1500*time.Millisecond + time.Duration(rng.IntN(3000))*time.Millisecond,
			})
		}
	}
	return out[:n]
}
