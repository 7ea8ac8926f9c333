package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/test/volume"
)

// writers create clusters all the time, and remember the acknowledged names.
type writers struct {
	mu           sync.Mutex
	acknowledged []string
	refused      int
}

func (w *writers) write(ctx context.Context, admin local.Admin, worker int) {
	api := client.New(admin)
	defer api.Close()
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("w%d-%d", worker, n)
		call, cancel := context.WithTimeout(ctx, 20*time.Second)
		_, err := api.ECS.CreateCluster(call, &ecs.CreateClusterInput{ClusterName: &name}, func(o *ecs.Options) { o.RetryMaxAttempts = 1 })
		cancel()
		w.mu.Lock()
		if err == nil {
			w.acknowledged = append(w.acknowledged, name)
		} else {
			w.refused++
		}
		w.mu.Unlock()
		if err != nil { // the server is down, or the disk is full
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// TestFullAtRandom fills and frees the disk under writers, and kills the server, in a
// random order. In the end every acknowledged cluster is there, and the server serves.
// Without a reserve etcd's own writes fail repeatedly.
func TestFullAtRandom(t *testing.T) {
	for _, reserve := range []string{"0", "128"} {
		t.Run("reserve "+reserve, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			v := volume.Tmpfs(t, t.TempDir(), size)
			c := newControl(t, v.Dir, "--disk-reserve", reserve)
			c.serve()
			admin, err := local.ReadAdmin(c.layout)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			w := &writers{}
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() { w.write(ctx, admin, i) })
			}
			full, rounds := false, 8
			if os.Getenv("ASHORE_SOAK") != "" {
				rounds = 150
			}
			for range rounds {
				time.Sleep(time.Duration(rng.IntN(800)) * time.Millisecond)
				switch n := rng.IntN(3); {
				case n == 0:
					c.kill()
					c.restart()
				case full:
					v.Free()
					full = false
				default:
					v.Fill()
					full = true
				}
			}
			if full {
				v.Free()
			}
			l := &clusters{c: c}
			c.await("changes are taken again", func() error {
				select {
				case <-c.exited: // a start on a full disk may fail: a watcher would retry
					c.restart()
				default:
				}
				return l.make()
			})
			stop()
			all.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			l.made = append(l.made, w.acknowledged...)
			l.check("at the end")
			t.Logf("%d acknowledged, %d refused or unknown, etcd failed %d times", len(w.acknowledged), w.refused, strings.Count(c.allOutput(), "the server starts anew"))
			if len(w.acknowledged) == 0 {
				t.Error("nothing was ever acknowledged")
			}
			if code := c.terminate(); code != 0 {
				t.Errorf("it ended with %d", code)
			}
		})
	}
}
