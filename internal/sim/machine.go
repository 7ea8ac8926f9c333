package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

// Faults configures the latencies and failures of a Machine's engine. The zero value has
// none.
type Faults struct {
	Seed uint64
	// Create, Start and Stop are mean latencies. Each call takes between half and one
	// and a half of the mean.
	Create, Start, Stop time.Duration
	// FailCreate and FailStart are the probabilities that such a call fails. Lost is
	// the probability that a call takes effect and its answer is lost.
	FailCreate, FailStart, Lost float64
}

// Machine is a machine with a simulated container engine. It outlives its agents, and
// counts how often each container was started.
type Machine struct {
	*fake.Fake
	faults Faults // constant

	mu  sync.Mutex
	rng *rand.Rand
}

// NewMachine returns a machine. memory is in MiB.
func NewMachine(cpus int, memory int64, f Faults) *Machine {
	m := &Machine{faults: f, rng: rand.New(rand.NewPCG(f.Seed, 1))}
	m.Fake = fake.New(fake.Config{CPUs: cpus, Memory: memory << 20, Fail: m.injectFault, Lost: m.isAnswerLost})
	return m
}

// Running returns the number of running containers.
func (m *Machine) Running() int {
	all, err := m.List(context.Background(), nil)
	if err != nil {
		panic(err) // injectFault fails no List
	}
	n := 0
	for _, c := range all {
		if c.Phase == runtime.PhaseRunning {
			n++
		}
	}
	return n
}

// injectFault takes the time of one call and returns the error if it fails.
func (m *Machine) injectFault(op, _ string) error {
	mean, fail := time.Duration(0), 0.0
	switch op {
	case "create":
		mean, fail = m.faults.Create, m.faults.FailCreate
	case "start":
		mean, fail = m.faults.Start, m.faults.FailStart
	case "stop":
		mean = m.faults.Stop
	default:
		return nil
	}
	m.mu.Lock()
	d := mean/2 + time.Duration(m.rng.Float64()*float64(mean))
	failed := m.rng.Float64() < fail
	m.mu.Unlock()
	time.Sleep(d)
	if failed {
		return &runtime.Error{Err: errors.New("simulated failure of " + op)}
	}
	return nil
}

func (m *Machine) isAnswerLost(op, _ string) bool {
	if m.faults.Lost == 0 || (op != "create" && op != "start") {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.Float64() < m.faults.Lost
}
