// Package agenttest gives the agent's tests a real engine, an image built for the test,
// and an installation id of their own. It removes what the tests leave.
package agenttest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"

	rt "github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/docker"
)

// Docker returns this machine's engine. Without one the test fails.
func Docker(t testing.TB) *docker.Docker {
	t.Helper()
	d, err := docker.New("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if _, err := d.Info(t.Context()); err != nil {
		t.Fatalf("these tests need a container engine: %v", err)
	}
	return d
}

// Installation returns a new installation id. When the test ends, it removes all
// containers and volumes that have the id as value of label.
func Installation(t testing.TB, d rt.Runtime, label string) string {
	t.Helper()
	id := Hex(16)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		list, err := d.List(ctx, map[string]string{label: id})
		if err != nil {
			t.Error(err)
			return
		}
		var wg sync.WaitGroup
		for _, c := range list {
			wg.Go(func() {
				if err := d.Remove(ctx, c.ID, true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		removeVolumes(ctx, t, d, label+"="+id)
	})
	return id
}

// removeVolumes uses the engine's API directly, since a Runtime does not list volumes.
func removeVolumes(ctx context.Context, t testing.TB, d rt.Runtime, label string) {
	api, err := client.New(client.WithHost(docker.Host()))
	if err != nil {
		t.Error(err)
		return
	}
	defer api.Close()
	list, err := api.VolumeList(ctx, client.VolumeListOptions{Filters: client.Filters{}.Add("label", label)})
	if err != nil {
		t.Error(err)
		return
	}
	for _, v := range list.Items {
		if err := d.RemoveVolume(ctx, v.Name); err != nil {
			t.Error(err)
		}
	}
}

// Hex returns n random bytes as hexadecimal.
func Hex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

var probe = sync.OnceValues(func() ([]byte, error) {
	_, file, _, _ := runtime.Caller(0)
	dir, err := os.MkdirTemp("", "ashore-probe")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "probe")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./probe")
	cmd.Dir = filepath.Dir(file)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
})

// Image loads an image whose entry point is the probe, under a unique name. It removes the
// image when the test ends.
func Image(t testing.TB, d rt.Runtime) string {
	t.Helper()
	bin, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	ref := "ashore-agent-test-" + Hex(6) + ":latest"
	refs, err := d.Load(t.Context(), bytes.NewReader(Archive(ref, bin)))
	if err != nil {
		t.Fatal(err)
	}
	if len(refs) != 1 || refs[0] != ref {
		t.Fatalf("loaded %v, not %s", refs, ref)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := d.RemoveImage(ctx, ref); err != nil {
			t.Errorf("test image: %v", err)
		}
	})
	return ref
}

// Archive returns an image with one binary, in the format of `docker save`.
func Archive(ref string, bin []byte) []byte {
	layer := buildTar(map[string][]byte{"probe": bin}, 0o755)
	sum := sha256.Sum256(layer)
	config := must(json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/probe"}, "Cmd": []string{"sleep", "3600"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	}))
	manifest := must(json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{ref}, "Layers": []string{"layer.tar"}}}))
	return buildTar(map[string][]byte{"layer.tar": layer, "config.json": config, "manifest.json": manifest}, 0o644)
}

func buildTar(files map[string][]byte, mode int64) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			panic(err)
		}
		if _, err := w.Write(data); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
