package scheduler

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// patchy is a placer that panics for the tasks of one service and notes what it is
// asked for of others.
type patchy struct {
	panics string
	mu     sync.Mutex
	tried  map[string]int // guarded by mu
	more   chan struct{}
}

func (p *patchy) LaunchService(_ context.Context, l placer.ServiceLaunch) (placer.Launched, error) {
	p.mu.Lock()
	p.tried[l.Service.Name]++
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	if l.Service.Name == p.panics {
		panic("no way to place it")
	}
	return placer.Launched{Missing: l.Count}, nil
}

func (p *patchy) Eligible(*store.Snapshot, *fleet.Service, *fleet.ServiceRevision) ([]string, error) {
	return nil, nil
}

// until waits until the placer has been asked for tasks of a service some times.
func (p *patchy) until(ctx context.Context, t *testing.T, service string, times int) {
	t.Helper()
	for {
		p.mu.Lock()
		n := p.tried[service]
		p.mu.Unlock()
		if n >= times {
			return
		}
		select {
		case <-p.more:
		case <-ctx.Done():
			t.Fatalf("tasks of %s were asked for %d times", service, n)
		}
	}
}

// said counts a service's events that contain a text.
func said(snap *store.Snapshot, service, text string) (n int) {
	for e := range snap.ServiceEvents("c", service) {
		if strings.Contains(e.Message, text) {
			n++
		}
	}
	return n
}

// A service that makes the scheduler panic, or whose records can't be read, is set
// aside and says so in its events; the others are kept, and it is tried again.
func TestServiceIsSetAside(t *testing.T) {
	s, etcd := storetest.OpenEtcd(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.Update(ctx, func(tx *store.Tx) error {
		errs := []error{store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive})}
		for _, name := range []string{"bad", "broken", "good"} {
			errs = append(errs,
				store.Create(tx, store.ServiceKey("c", name), &fleet.Service{Cluster: "c", Name: name, ID: "id-" + name, Status: fleet.ServiceActive, DesiredCount: 1,
					Scheduling: types.SchedulingStrategyReplica, Deployment: name, Deployments: 1}),
				store.Create(tx, store.DeploymentKey("c", name, name), &fleet.Deployment{Cluster: "c", Service: name, ServiceID: "id-" + name, ID: name, Number: 1, Revision: "r"}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	key := store.DeploymentKey("c", "broken", "broken").String()
	mend := storetest.Spoil(t, etcd, s, key)
	p := &patchy{panics: "bad", tried: map[string]int{}, more: make(chan struct{}, 1)}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- (&Scheduler{Store: s, Server: "a", Placer: p}).Run(run) }()
	p.until(ctx, t, "good", 1)
	p.until(ctx, t, "bad", 3)
	snap, feed := s.Follow()
	for said(snap, "bad", "an error in the scheduler") == 0 || said(snap, "broken", key) == 0 {
		a, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		snap = a.Next
	}
	if n := said(snap, "bad", "an error in the scheduler"); n != 1 {
		t.Errorf("it is told %d times", n)
	}
	if said(snap, "good", "left as it is") > 0 || p.tried["broken"] > 0 {
		t.Error("the wrong service is set aside")
	}
	mend()
	p.until(ctx, t, "broken", 1)
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
