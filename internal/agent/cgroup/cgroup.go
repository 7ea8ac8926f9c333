// Package cgroup holds a task's own limits: one cgroup for each task, parent of
// its containers', made by writing to the host's cgroup file system (Root) or,
// where that is systemd's to write, by asking systemd for a slice (Slices).
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Root makes cgroups below /<name> of the hierarchy mounted at Mount. Constant
// after construction.
type Root struct {
	Mount   string // /sys/fs/cgroup
	Name    string // ecs
	Version int
}

const period = 100_000 // µs, the unit of a CPU quota

// controllers of version 1 that a task's cgroup needs a folder in.
var controllers = []string{"cpu", "memory"}

// IsUsable tells whether this process may make cgroups there.
func (r Root) IsUsable() bool {
	const probe = "ashore-probe"
	if _, err := r.Create(probe, Limits{}); err != nil {
		return false
	}
	return r.Remove(probe) == nil
}

// Limits of a task. Zero is none.
type Limits struct {
	CPU    float64 // vCPUs
	Shares int64   // when CPU is 0
	Memory int64   // bytes
}

// Create makes a task's cgroup and returns its path as a container's parent.
// Doing it again changes the limits.
func (r Root) Create(task string, l Limits) (string, error) {
	parent := "/" + filepath.Join(r.Name, task)
	create := r.createV2
	if r.Version == 1 {
		create = r.createV1
	}
	err := create(parent, l)
	if errors.Is(err, fs.ErrNotExist) { // RemoveEmpty of another installation came between
		err = create(parent, l)
	}
	if err != nil {
		return "", fmt.Errorf("cgroup %s: %w", parent, err)
	}
	return parent, nil
}

func (r Root) createV1(parent string, l Limits) error {
	for _, c := range controllers {
		if err := os.MkdirAll(filepath.Join(r.Mount, c, parent), 0o755); err != nil {
			return err
		}
	}
	// The hierarchy counts what its children use.
	if l.Memory > 0 {
		if err := r.writeFile(filepath.Join("memory", parent, "memory.limit_in_bytes"), l.Memory); err != nil {
			return err
		}
	}
	if l.CPU > 0 {
		if err := r.writeFile(filepath.Join("cpu", parent, "cpu.cfs_period_us"), period); err != nil {
			return err
		}
		return r.writeFile(filepath.Join("cpu", parent, "cpu.cfs_quota_us"), int64(l.CPU*period))
	}
	if l.Shares > 0 {
		return r.writeFile(filepath.Join("cpu", parent, "cpu.shares"), max(l.Shares, 2))
	}
	return nil
}

func (r Root) createV2(parent string, l Limits) error {
	// Controllers are switched on from the top: a cgroup's own files exist only
	// where its parent hands the controller down.
	for _, dir := range []string{"", r.Name} {
		if err := os.MkdirAll(filepath.Join(r.Mount, dir), 0o755); err != nil {
			return err
		}
		control := filepath.Join(r.Mount, dir, "cgroup.subtree_control")
		if err := os.WriteFile(control, []byte("+cpu +memory"), 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(r.Mount, parent), 0o755); err != nil {
		return err
	}
	if l.Memory > 0 {
		if err := r.writeFile(filepath.Join(parent, "memory.max"), l.Memory); err != nil {
			return err
		}
	}
	if l.CPU > 0 {
		return os.WriteFile(filepath.Join(r.Mount, parent, "cpu.max"), fmt.Appendf(nil, "%d %d", int64(l.CPU*period), period), 0o644)
	}
	if l.Shares > 0 {
		return r.writeFile(filepath.Join(parent, "cpu.weight"), sharesToWeight(l.Shares))
	}
	return nil
}

// sharesToWeight converts version 1's CPU shares to version 2's weight as the engines do.
func sharesToWeight(shares int64) int64 { return 1 + (max(shares, 2)-2)*9999/262142 }

func (r Root) writeFile(path string, v int64) error {
	return os.WriteFile(filepath.Join(r.Mount, path), strconv.AppendInt(nil, v, 10), 0o644)
}

// Remove removes a task's cgroup; one that is not there is no error. It fails
// while a container is in it.
func (r Root) Remove(task string) error {
	dirs, err := r.taskFolders(task)
	for _, d := range dirs {
		err = errors.Join(err, removeFolder(d))
	}
	return err
}

// RemoveEmpty removes the folder of all tasks' cgroups, where no task is in it any
// more, of this installation or another.
func (r Root) RemoveEmpty() error {
	dirs, err := r.taskFolders("")
	for _, d := range dirs {
		if e := removeFolder(d); !errors.Is(e, syscall.EBUSY) && !errors.Is(e, syscall.ENOTEMPTY) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// taskFolders of a task. In version 1 each hierarchy may have one: the engine makes a
// container's parent in all of them.
func (r Root) taskFolders(task string) ([]string, error) {
	if r.Version != 1 {
		return []string{filepath.Join(r.Mount, r.Name, task)}, nil
	}
	hierarchies, err := os.ReadDir(r.Mount)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, h := range hierarchies {
		if h.IsDir() { // the rest are other names of some
			dirs = append(dirs, filepath.Join(r.Mount, h.Name(), r.Name, task))
		}
	}
	return dirs, nil
}

// removeFolder removes a cgroup's folder. A plain rmdir does: the files in it are the
// kernel's own.
func removeFolder(dir string) error {
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
