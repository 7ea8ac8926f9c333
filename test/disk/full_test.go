package disk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/test/volume"
)

const size = 640 << 20

// clusters are the created and acknowledged clusters, and those that may also exist.
type clusters struct {
	c       *control
	made    []string
	unknown []string
}

// make creates one more cluster, without the client's retries.
func (l *clusters) make() error {
	name := fmt.Sprintf("c%d", len(l.made)+len(l.unknown))
	_, err := l.c.api.ECS.CreateCluster(within(l.c.t), &ecs.CreateClusterInput{ClusterName: &name}, func(o *ecs.Options) { o.RetryMaxAttempts = 1 })
	if err == nil {
		l.made = append(l.made, name)
	} else {
		l.unknown = append(l.unknown, name)
	}
	return err
}

// check reads the clusters: all acknowledged ones must be there.
func (l *clusters) check(when string) {
	l.c.t.Helper()
	var have []string
	pages := ecs.NewListClustersPaginator(l.c.api.ECS, &ecs.ListClustersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(within(l.c.t))
		if err != nil {
			l.c.t.Fatalf("%s: reads: %v", when, err)
		}
		for _, arn := range page.ClusterArns {
			have = append(have, arn[strings.LastIndexByte(arn, '/')+1:])
		}
	}
	for _, name := range l.made {
		if !slices.Contains(have, name) {
			l.c.t.Errorf("%s: %s was acknowledged and is not there", when, name)
		}
	}
}

// checkRefused checks that an error is ECS's error for an unavailable service, and that it
// names the disk.
func (l *clusters) checkRefused(when string, err error, words ...string) {
	l.c.t.Helper()
	var unable *types.ServerException
	if !errors.As(err, &unable) {
		l.c.t.Fatalf("%s: a change: %v", when, err)
	}
	for _, w := range append(words, l.c.layout.Server()) {
		if !strings.Contains(aws.ToString(unable.Message), w) {
			l.c.t.Errorf("%s: no %q in %q", when, w, aws.ToString(unable.Message))
		}
	}
}

// TestFullDisk fills the disk of the data folder. Reads go on. Changes are refused with
// an error that names the disk, even after the server is killed and restarted. When
// there is space again, changes are accepted without help.
func TestFullDisk(t *testing.T) {
	for kind, mount := range volume.Kinds {
		t.Run(kind, func(t *testing.T) {
			v := mount(t, t.TempDir(), size)
			c := newControl(t, v.Dir)
			c.serve()
			l := &clusters{c: c}
			for range 20 {
				if err := l.make(); err != nil {
					t.Fatal(err)
				}
			}
			v.Fill()
			for range 3 {
				l.checkRefused("full", l.make(), "(mounted at "+v.Dir+") is full: ", " MiB are needed", "Free some room")
				l.check("full")
			}
			pid := c.cmd.Process.Pid
			c.kill()
			v.Fill()
			c.serve()
			if c.cmd.Process.Pid == pid {
				t.Fatal("it was not killed")
			}
			l.checkRefused("started full", l.make(), "(mounted at "+v.Dir+")")
			l.check("started full")
			v.Free()
			c.await("changes are taken again", l.make)
			l.check("with room")
			if code := c.terminate(); code != 0 {
				t.Errorf("it ended with %d", code)
			}
			c.serve()
			l.check("started again")
		})
	}
}

// TestFullWhileWriting fills the disk faster than the server checks it (there is no
// reserve), so etcd's own write fails. Reads go on in the same process. Changes go on
// when there is space again.
func TestFullWhileWriting(t *testing.T) {
	v := volume.Tmpfs(t, t.TempDir(), size)
	c := newControl(t, v.Dir, "--disk-reserve", "0")
	c.serve()
	l := &clusters{c: c}
	if err := l.make(); err != nil {
		t.Fatal(err)
	}
	v.Fill()
	var err error
	for len(l.made) < 10000 {
		if err = l.make(); err != nil {
			break
		}
	}
	l.check("after the failed write")
	c.await("it is told why", func() error {
		err := l.make()
		if err == nil || !strings.Contains(err.Error(), "no space left on device") {
			return fmt.Errorf("answered %w", err)
		}
		return nil
	})
	l.checkRefused("failed", l.make(), "(mounted at "+v.Dir+") can't be written: ", "no space left on device")
	l.check("failed")
	v.Free()
	c.await("changes are taken again", l.make)
	l.check("with room")
	if code := c.terminate(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if strings.Count(c.out.String(), " msg=serving ") != 2 {
		t.Errorf("it was not started anew")
	}
}

// TestEndsOnAFullDisk: SIGTERM ends a server with a full disk, even after a failed
// write.
func TestEndsOnAFullDisk(t *testing.T) {
	for _, reserve := range []string{"128", "0"} {
		t.Run("reserve "+reserve, func(t *testing.T) {
			v := volume.Tmpfs(t, t.TempDir(), size)
			c := newControl(t, v.Dir, "--disk-reserve", reserve)
			c.serve()
			v.Fill()
			l := &clusters{c: c}
			for len(l.made) < 10000 && l.make() == nil {
			}
			l.check("full")
			if code := c.terminate(); code != 0 {
				t.Errorf("it ended with %d", code)
			}
		})
	}
}
