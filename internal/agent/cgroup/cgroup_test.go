package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// hierarchies creates folders as version 1 mounts its hierarchies, some of them under a
// second name too.
func hierarchies(t *testing.T) string {
	t.Helper()
	mount := t.TempDir()
	for _, name := range []string{"cpu,cpuacct", "memory", "pids", "systemd", "unified"} {
		if err := os.Mkdir(filepath.Join(mount, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cpu", "cpuacct"} {
		if err := os.Symlink("cpu,cpuacct", filepath.Join(mount, name)); err != nil {
			t.Fatal(err)
		}
	}
	return mount
}

func folders(t *testing.T, mount string) (left []string) {
	t.Helper()
	err := filepath.WalkDir(mount, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(mount, path); err == nil && d.IsDir() && slices.Contains([]string{"ecs", "a", "b"}, d.Name()) {
			left = append(left, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// In version 1 the engine creates a container's parent in every hierarchy. All of them are
// removed with the task.
func TestRemoveLeavesNothingInAnyHierarchy(t *testing.T) {
	r := Root{Mount: hierarchies(t), Name: "ecs", Version: 1}
	for _, task := range []string{"a", "b"} {
		if _, err := r.Create(task, Limits{}); err != nil {
			t.Fatal(err)
		}
		for _, h := range []string{"pids", "systemd", "unified"} { // the engine creates these
			if err := os.MkdirAll(filepath.Join(r.Mount, h, "ecs", task), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	want := []string{"cpu,cpuacct/ecs", "cpu,cpuacct/ecs/b", "memory/ecs", "memory/ecs/b", "pids/ecs", "pids/ecs/b", "systemd/ecs", "systemd/ecs/b", "unified/ecs", "unified/ecs/b"}
	if got := folders(t, r.Mount); !slices.Equal(got, want) {
		t.Errorf("left are %q", got)
	}
	if err := r.RemoveEmpty(); err != nil { // b's cgroups are in it
		t.Error(err)
	}
	if got := folders(t, r.Mount); !slices.Equal(got, want) {
		t.Errorf("left are %q", got)
	}
	// While a container is in one of them, the others are removed and an error is
	// returned.
	busy := filepath.Join(r.Mount, "pids", "ecs", "b", "container")
	if err := os.Mkdir(busy, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove("b"); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Error(err)
	}
	if err := os.Remove(busy); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a missing cgroup is no error
		if err := r.Remove("b"); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := r.RemoveEmpty(); err != nil {
			t.Error(err)
		}
	}
	if got := folders(t, r.Mount); len(got) != 0 {
		t.Errorf("left are %q", got)
	}
}
