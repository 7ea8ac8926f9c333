// Package cgroup enforces a task's own limits by one cgroup for each task, the parent of
// its containers' cgroups. Root writes to the host's cgroup file system. Slices asks
// systemd for a slice, on hosts where only systemd may write there.
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

// Root creates cgroups below /<name> in the hierarchy mounted at Mount. Constant after
// construction.
type Root struct {
	Mount   string // /sys/fs/cgroup
	Name    string // ecs
	Version int
}

const period = 100_000 // µs, the unit of a CPU quota

// controllers are the version 1 controllers in which a task's cgroup needs a folder.
var controllers = []string{"cpu", "memory"}

// IsUsable reports whether this process may create cgroups there.
func (r Root) IsUsable() bool {
	const probe = "ashore-probe"
	if _, err := r.Create(probe, Limits{}); err != nil {
		return false
	}
	return r.Remove(probe) == nil
}

// Limits are the limits of a task. Zero means no limit.
type Limits struct {
	CPU    float64 // vCPUs
	Shares int64   // used if CPU is 0
	Memory int64   // bytes
}

// Create creates a task's cgroup, or changes the limits of an existing one. It returns the
// cgroup's path for use as a container's parent.
func (r Root) Create(task string, l Limits) (string, error) {
	parent := "/" + filepath.Join(r.Name, task)
	create := r.createV2
	if r.Version == 1 {
		create = r.createV1
	}
	err := create(parent, l)
	if errors.Is(err, fs.ErrNotExist) { // another installation has removed the empty folder in between
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
	// The kernel counts the usage of a cgroup's children.
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
	// Controllers are enabled from the top: a cgroup has a controller's files only if
	// its parent enables the controller for its children.
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

// sharesToWeight converts version 1 CPU shares to a version 2 weight, as the engines do.
func sharesToWeight(shares int64) int64 { return 1 + (max(shares, 2)-2)*9999/262142 }

func (r Root) writeFile(path string, v int64) error {
	return os.WriteFile(filepath.Join(r.Mount, path), strconv.AppendInt(nil, v, 10), 0o644)
}

// Remove removes a task's cgroup. It returns no error if the cgroup does not exist. It
// fails while a container is in it.
func (r Root) Remove(task string) error {
	dirs, err := r.taskFolders(task)
	for _, d := range dirs {
		err = errors.Join(err, removeFolder(d))
	}
	return err
}

// RemoveEmpty removes the folder of all tasks' cgroups, unless a task of any installation
// is still in it.
func (r Root) RemoveEmpty() error {
	dirs, err := r.taskFolders("")
	for _, d := range dirs {
		if e := removeFolder(d); !errors.Is(e, syscall.EBUSY) && !errors.Is(e, syscall.ENOTEMPTY) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// taskFolders returns the folders of a task's cgroup. In version 1 each hierarchy may have
// one, since the engine creates a container's parent in all of them.
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
		if h.IsDir() { // other entries are links to a hierarchy
			dirs = append(dirs, filepath.Join(r.Mount, h.Name(), r.Name, task))
		}
	}
	return dirs, nil
}

// removeFolder removes a cgroup's folder. The kernel removes the files in it.
func removeFolder(dir string) error {
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
