package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func conformRecords(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	putCluster(t, s, "c")
	if c := s.Snapshot().Cluster("c"); c == nil || c.Status != fleet.ClusterActive {
		t.Fatalf("after Update the snapshot shows %+v", c)
	}
	err := s.Update(ctx, func(tx *Tx) error { return Create(tx, ClusterKey("c"), &fleet.Cluster{Name: "c"}) })
	if !errors.Is(err, ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	if err := s.Update(ctx, func(tx *Tx) error { return Put(tx, ClusterKey("x"), &fleet.Cluster{}) }); err == nil {
		t.Error("a blind write was taken")
	}
	if err := s.Update(ctx, func(tx *Tx) error { return Delete(tx, ClusterKey("c")) }); err == nil {
		t.Error("a blind delete was taken")
	}
	before := s.Snapshot()
	err = s.Update(ctx, func(tx *Tx) error {
		Get(tx, ClusterKey("c"))
		return Delete(tx, ClusterKey("c"))
	})
	if err != nil || s.Snapshot().Cluster("c") != nil {
		t.Errorf("deleted: %v, %+v", err, s.Snapshot().Cluster("c"))
	}
	if before.Cluster("c") == nil || before.Revision() >= s.Snapshot().Revision() {
		t.Error("an old snapshot changed, or revisions don't grow")
	}
	// Put and then Delete in one transaction: the order of first writes counts.
	err = s.Update(ctx, func(tx *Tx) error {
		if err := Create(tx, ClusterKey("d"), &fleet.Cluster{Name: "d"}); err != nil {
			return err
		}
		return Delete(tx, ClusterKey("d"))
	})
	if err != nil || s.Snapshot().Cluster("d") != nil {
		t.Errorf("created and deleted at once: %v", err)
	}
	if err := s.Update(ctx, func(*Tx) error { return errors.New("mine") }); err == nil || err.Error() != "mine" {
		t.Errorf("the function's error comes back as %v", err)
	}
	if n := len(s.Warnings()); n != 0 {
		t.Errorf("%d warnings: %v", n, s.Warnings())
	}
}

func conformGuards(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	putCluster(t, s, "c")
	// Another transaction changes the record that the first one has read, when the
	// first one runs for the first time.
	interrupted := func(change func(), fn func(*Tx) error) (runs int, err error) {
		err = s.Update(ctx, func(tx *Tx) error {
			runs++
			err := fn(tx)
			if runs == 1 {
				change()
			}
			return err
		})
		return runs, err
	}
	t.Run("a record read", func(t *testing.T) {
		runs, err := interrupted(func() {
			if err := s.Update(ctx, func(tx *Tx) error {
				c := *Get(tx, ClusterKey("c"))
				c.Status = fleet.ClusterInactive
				return Put(tx, ClusterKey("c"), &c)
			}); err != nil {
				t.Error(err)
			}
		}, func(tx *Tx) error {
			if Get(tx, ClusterKey("c")).Status != fleet.ClusterActive {
				return errors.New("inactive")
			}
			return Create(tx, InstanceKey("c", "i"), &fleet.Instance{Cluster: "c", ID: "i"})
		})
		if runs < 2 || err == nil || err.Error() != "inactive" {
			t.Errorf("after %d runs: %v", runs, err)
		}
	})
	t.Run("a record found absent", func(t *testing.T) {
		runs, err := interrupted(func() { putTask(t, s, task("c", "a", "i", "f")) }, func(tx *Tx) error {
			if Get(tx, TaskKey("c", "a")) != nil {
				return errors.New("there")
			}
			return Create(tx, TaskKey("c", "b"), task("c", "b", "i", "f"))
		})
		if runs < 2 || err == nil || err.Error() != "there" {
			t.Errorf("after %d runs: %v", runs, err)
		}
	})
	t.Run("a set claimed", func(t *testing.T) {
		place := func(tx *Tx, id string) error {
			if u := tx.Snapshot().Usage("c", "host"); u != nil {
				if _, held := u.Holders.Of(fleet.Port{Number: 80, Protocol: fleet.TCP}); held {
					return errors.New("port taken")
				}
			}
			if err := tx.Claim(HostGuard("c", "host")); err != nil {
				return err
			}
			v := task("c", id, "host", "f")
			v.Reserve.Ports = []fleet.Port{{Number: 80, Protocol: fleet.TCP}}
			return Create(tx, TaskKey("c", id), v)
		}
		runs, err := interrupted(func() {
			if err := s.Update(ctx, func(tx *Tx) error { return place(tx, "first") }); err != nil {
				t.Error(err)
			}
		}, func(tx *Tx) error { return place(tx, "second") })
		if runs < 2 || err == nil || err.Error() != "port taken" {
			t.Errorf("one port was given away twice: after %d runs: %v", runs, err)
		}
	})
}

func conformEmptiness(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	putCluster(t, s, "c")
	putCluster(t, s, "cc") // not a child of c
	runs := 0
	err := s.Update(ctx, func(tx *Tx) error {
		runs++
		Get(tx, ClusterKey("c"))
		tx.Unchanged(ClusterMembers("c"))
		for range tx.Snapshot().Tasks("c", "") {
			return errors.New("not empty")
		}
		if runs == 1 {
			putTask(t, s, task("c", "t", "i", "f"))
		}
		return Delete(tx, ClusterKey("c"))
	})
	if runs < 2 || err == nil || err.Error() != "not empty" {
		t.Errorf("after %d runs: %v", runs, err)
	}
	// A record's own children don't matter to its sibling.
	err = s.Update(ctx, func(tx *Tx) error {
		Get(tx, ClusterKey("cc"))
		tx.Unchanged(ClusterMembers("cc"))
		putTask(t, s, task("c", fmt.Sprint("n", tx.Snapshot().rev), "i", "f"))
		return Delete(tx, ClusterKey("cc"))
	})
	if err != nil {
		t.Error(err)
	}
}

func conformConcurrent(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	// All of many concurrent increments count, on few counters: batches form and
	// conflict.
	const writers, each, counters = 16, 20, 3
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := FamilyKey(fmt.Sprint("f", (w+i)%counters))
				err := s.Update(ctx, func(tx *Tx) error {
					f := Get(tx, key)
					if f == nil {
						f = &fleet.Family{}
					}
					return Put(tx, key, &fleet.Family{Latest: f.Latest + 1})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, f := range s.Snapshot().Families("") {
		sum += f.Latest
	}
	if sum != writers*each {
		t.Errorf("%d increments show as %d", writers*each, sum)
	}
}

func conformLarge(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	// Together these exceed what etcd accepts in one request.
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			err := s.Update(ctx, func(tx *Tx) error {
				return Create(tx, ClusterKey(fmt.Sprint("c", i)), &fleet.Cluster{Name: strings.Repeat("x", 200<<10)})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	err := s.Update(ctx, func(tx *Tx) error {
		return Create(tx, ClusterKey("huge"), &fleet.Cluster{Name: strings.Repeat("x", 2<<20)})
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("2 MiB: %v", err)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		for i := range maxOps {
			if err := Create(tx, ClusterKey(fmt.Sprint("many", i)), &fleet.Cluster{}); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d records: %v", maxOps, err)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		for i := range maxOps - 1 {
			if err := Create(tx, ClusterKey(fmt.Sprint("many", i)), &fleet.Cluster{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%d records: %v", maxOps-1, err)
	}
}
