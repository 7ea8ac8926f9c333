//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

// ledger counts the starts of each task on all machines, outside of Ashore, and has the
// list of what went wrong.
type ledger struct {
	mu     sync.Mutex
	starts map[string][]string // task → machines that started it
	kept   map[string]bool     // tasks of services
	wrong  []string
}

func (l *ledger) started(task, family, machine string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts[task] = append(l.starts[task], machine)
	if needs[family].service {
		l.kept[task] = true
	}
}

func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// report fails the test for everything that went wrong since the last call.
func (l *ledger) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, wrong := range l.wrong {
		if i == 5 {
			t.Errorf("and %d more", len(l.wrong)-i)
			break
		}
		t.Error(wrong)
	}
	l.wrong = nil
}

// machine is a host's engine. It lives in the test's process, so it outlives its agent.
// At each start it sums up what runs on it.
type machine struct {
	*fake.Fake
	name   string
	cpu    int64 // units
	memory int64 // bytes
	ledger *ledger

	mu    sync.Mutex
	specs map[string]runtime.Spec // of created containers, by id
}

// pace is how long an engine takes for each step. It is long enough for a fault in
// between.
const pace = 20 * time.Millisecond

func newMachine(name string, cpus int, mib int64, l *ledger) *machine {
	return &machine{
		Fake: fake.New(fake.Config{CPUs: cpus, Memory: mib << 20, CreateDelay: pace, StartDelay: pace, StopDelay: pace}),
		name: name, cpu: int64(cpus) * 1024, memory: mib << 20, ledger: l, specs: map[string]runtime.Spec{},
	}
}

func (m *machine) Create(ctx context.Context, s runtime.Spec) (runtime.Created, error) {
	c, err := m.Fake.Create(ctx, s)
	if err == nil {
		m.mu.Lock()
		m.specs[c.ID] = s
		m.mu.Unlock()
	}
	return c, err
}

// Start records what was started, and checks what runs beside it.
func (m *machine) Start(ctx context.Context, id string) error {
	err := m.Fake.Start(ctx, id)
	m.mu.Lock()
	spec, known := m.specs[id]
	m.mu.Unlock()
	if errors.Is(err, runtime.ErrPortTaken) {
		m.ledger.note("%s: a host port of %s is taken: %v", m.name, spec.Labels[engine.LabelTask], err)
	}
	if err != nil || !known {
		return err
	}
	m.ledger.started(spec.Labels[engine.LabelTask], spec.Labels[engine.LabelFamily], m.name)
	return m.audit(ctx)
}

// audit sums up what runs.
func (m *machine) audit(ctx context.Context) error {
	all, err := m.List(ctx, nil)
	if err != nil {
		return err
	}
	var cpu, memory int64
	var who []string
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range all {
		if c.Phase == runtime.PhaseRunning {
			s := m.specs[c.ID]
			cpu += s.CPUShares
			memory += s.Memory
			who = append(who, s.Labels[engine.LabelTask])
		}
	}
	if cpu > m.cpu || memory > m.memory {
		m.ledger.note("%s: containers of %d CPU units and %d MiB run on %d and %d: %v", m.name, cpu, memory>>20, m.cpu, m.memory>>20, who)
	}
	return nil
}
