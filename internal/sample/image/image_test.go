package image

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/dockerhost"
	"github.com/ashore/ashore/internal/sample"
)

func newInstallation(t *testing.T) string {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func TestArchiveIsTheSameForTheSameBinary(t *testing.T) {
	binary := ashoretest.Binary(t)
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		a, err := plan(binary, "0123456789abcdef", Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.write(b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of one binary differ")
	}
	other, err := plan(binary, "another", Name)
	if err != nil {
		t.Fatal(err)
	}
	one, err := plan(binary, "one", Name)
	if err != nil {
		t.Fatal(err)
	}
	if other.layer != one.layer || other.id == one.id {
		t.Error("two installations must share the layer and have images of their own")
	}
}

func TestBinaryThatCantRunInTheImageIsRefused(t *testing.T) {
	self, err := os.Executable() // the race detector's binary is linked dynamically
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{script, "/no/such/file", "/bin/sh"} {
		if _, err := plan(path, "x", Name); err == nil {
			t.Errorf("%s was taken (this test is %s)", path, self)
		}
	}
}

// The tests from here on need an engine.

type rig struct {
	*testing.T
	*client.Client
	installation string
}

func newRig(t *testing.T) rig {
	c, _, _, err := dockerhost.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := rig{t, c, newInstallation(t)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := Remove(ctx, c, r.installation); err != nil {
			t.Error(err)
		}
		c.Close()
	})
	return r
}

func (r rig) start(memory int64, cmd ...string) string {
	r.Helper()
	port := network.MustParsePort(sample.DefaultPort + "/tcp")
	host := &container.HostConfig{Resources: container.Resources{Memory: memory, MemorySwap: memory, CPUShares: 32}}
	if len(cmd) == 0 {
		host.PortBindings = network.PortMap{port: {{HostIP: netip.MustParseAddr("127.0.0.1")}}}
	}
	created, err := r.ContainerCreate(r.Context(), client.ContainerCreateOptions{
		Config: &container.Config{Image: NameFor(r.installation), Cmd: cmd,
			Labels: map[string]string{LabelInstallation: r.installation}},
		HostConfig: host,
	})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if _, err := r.ContainerRemove(context.Background(), created.ID, client.ContainerRemoveOptions{Force: true}); err != nil && !errdefs.IsNotFound(err) {
			r.Error(err)
		}
	})
	if _, err := r.ContainerStart(r.Context(), created.ID, client.ContainerStartOptions{}); err != nil {
		r.Fatal(err)
	}
	return created.ID
}

func (r rig) wait(id string) int64 {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	w := r.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case res := <-w.Result:
		return res.StatusCode
	case err := <-w.Error:
		r.Fatal(err)
	}
	return -1
}

func TestImageOnTheEngine(t *testing.T) {
	r := newRig(t)
	binary := ashoretest.Binary(t)
	begun := time.Now()
	loaded, err := Load(t.Context(), r, binary, r.installation)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loaded in %s", time.Since(begun))
	if !loaded {
		t.Error("a new installation's image was there already")
	}
	begun = time.Now()
	if loaded, err = Load(t.Context(), r, binary, r.installation); err != nil || loaded {
		t.Errorf("loaded again: %v, %v", loaded, err)
	}
	t.Logf("found again in %s", time.Since(begun))

	t.Run("sleep and exit", func(t *testing.T) {
		r := rig{t, r.Client, r.installation}
		if got := r.wait(r.start(32<<20, "exit", "7")); got != 7 {
			t.Errorf("exit 7 ended with %d", got)
		}
		if got := r.wait(r.start(32<<20, "sleep", "0.1")); got != 0 {
			t.Errorf("sleep ended with %d", got)
		}
	})
	t.Run("page in 32 MiB", func(t *testing.T) {
		r := rig{t, r.Client, r.installation}
		id := r.start(32 << 20)
		in, err := r.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		binding := in.Container.NetworkSettings.Ports[network.MustParsePort(sample.DefaultPort+"/tcp")]
		if len(binding) == 0 {
			t.Fatal("no port was bound")
		}
		url := fmt.Sprintf("http://127.0.0.1:%s/", binding[0].HostPort)
		deadline := time.Now().Add(20 * time.Second)
		for n := 0; n < 100; { // more than one try, up to a limit
			resp, err := http.Get(url)
			if err != nil {
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond) // the engine's proxy listens before the program does
				continue
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !strings.Contains(string(body), sample.PageMark) {
				t.Fatalf("%q, %v", body, err)
			}
			n++
		}
		http.DefaultClient.CloseIdleConnections()
		// Memory that can't be reclaimed: the heap and the stacks, and not the binary's
		// pages.
		anonymous := anonymousKiB(t, in.Container.State.Pid)
		t.Logf("the page's program holds %d KiB of its own", anonymous)
		if anonymous > 12<<10 {
			t.Errorf("%d KiB of anonymous memory: is the rest of the binary initialised before package early?", anonymous)
		}
		// The program has answered, so it listens for signals. An earlier signal would
		// end the first process of a container with the Go runtime's status.
		begun := time.Now()
		if _, err := r.ContainerStop(t.Context(), id, client.ContainerStopOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := r.wait(id); got != 0 || time.Since(begun) > 8*time.Second {
			t.Errorf("a page that was stopped ended with %d after %s", got, time.Since(begun))
		}
	})
}

func anonymousKiB(t *testing.T, pid int) (kib int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatalf("no RssAnon in %s", b)
	return 0
}

func TestTwoInstallationsKeepTheirImages(t *testing.T) {
	a, b := newRig(t), newRig(t)
	binary := ashoretest.Binary(t)
	for _, r := range []rig{a, b} {
		if _, err := Load(t.Context(), r, binary, r.installation); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Remove(t.Context(), b, b.installation); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ImageInspect(t.Context(), NameFor(a.installation)); err != nil {
		t.Errorf("removing one installation's images took the other's: %v", err)
	}
	if _, err := b.ImageInspect(t.Context(), NameFor(b.installation)); !errdefs.IsNotFound(err) {
		t.Errorf("the removed installation's image is still there: %v", err)
	}
	list, err := List(t.Context(), a, a.installation)
	if err != nil || len(list) != 1 {
		t.Errorf("images of the installation: %v, %v", list, err)
	}
}

func TestImageThatRunsIsKept(t *testing.T) {
	r := newRig(t)
	if _, err := Load(t.Context(), r, ashoretest.Binary(t), r.installation); err != nil {
		t.Fatal(err)
	}
	r.start(32<<20, "sleep", "60")
	kept, err := Remove(t.Context(), r, r.installation)
	if err != nil || len(kept) != 1 {
		t.Errorf("kept %v, %v: want the image that runs", kept, err)
	}
	if _, err := r.ImageInspect(t.Context(), NameFor(r.installation)); err != nil {
		t.Error(err)
	}
}
