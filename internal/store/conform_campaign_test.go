package store

import (
	"context"
	"errors"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Who campaigns leads again after each end of a term: its own failure, or a
// deposition.
func conformCampaign(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	terms := make(chan string, 3)
	term := 0
	done := make(chan error, 1)
	go func() {
		done <- s.Campaign(ctx, "job", "a", func(ctx context.Context, held *Term) error {
			term++
			terms <- held.term
			if term == 1 {
				return errors.New("its work fails")
			}
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	first, second := <-terms, <-terms
	id, err := s.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Revoke(ctx, id); err != nil {
		t.Fatal(err)
	}
	if third := <-terms; first == second || second == third || first == third {
		t.Errorf("terms %s, %s, %s", first, second, third)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
