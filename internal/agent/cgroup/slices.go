package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Slices makes a task's cgroup as a slice of systemd's, for an engine that asks
// systemd for its containers' cgroups: there the hierarchy is systemd's to write.
// Constant after construction.
type Slices struct {
	Version int // of the hierarchy

	// call asks systemd's manager. Nil: by the system's bus.
	call func(ctx context.Context, method string, result any, args ...any) error
}

const (
	systemd    = "org.freedesktop.systemd1"
	busTimeout = 20 * time.Second // systemd answers within milliseconds, where it does
)

// property of a unit, as StartTransientUnit and SetUnitProperties take them.
type property struct {
	Name  string
	Value dbus.Variant
}

// auxiliary is a unit to be started with another; there is none.
type auxiliary struct {
	Name       string
	Properties []property
}

// process in a unit's cgroup, as GetUnitProcesses tells of it.
type process struct {
	Cgroup  string
	PID     uint32
	Command string
}

// IsUsable tells whether systemd is here and lets this process make slices.
func (s Slices) IsUsable() bool {
	probe := fmt.Sprintf("probe%d", os.Getpid()) // other agents of this machine have theirs
	if _, err := s.Create(probe, Limits{}); err != nil {
		return false
	}
	return s.Remove(probe) == nil
}

// sliceName is ECS's own name for a task's.
func sliceName(task string) string { return "ecstasks-" + task + ".slice" }

// Create makes a task's slice and returns its name as a container's parent.
// Doing it again changes the limits. It does not wait until the slice has
// started: a container's scope in it does.
func (s Slices) Create(task string, l Limits) (string, error) {
	name, limits := sliceName(task), s.limitProperties(l)
	properties := append([]property{{"Description", dbus.MakeVariant("ECS task " + task)}}, limits...)
	var job dbus.ObjectPath
	err := s.callManager("StartTransientUnit", &job, name, "fail", properties, []auxiliary{})
	if isManagerError(err, "UnitExists") {
		err = s.callManager("SetUnitProperties", nil, name, true, limits)
	}
	if err != nil {
		return "", fmt.Errorf("slice %s: %w", name, err)
	}
	return name, nil
}

func (s Slices) limitProperties(l Limits) []property {
	var out []property
	if l.Memory > 0 {
		out = append(out, property{"MemoryMax", dbus.MakeVariant(uint64(l.Memory))})
	}
	switch {
	case l.CPU > 0:
		out = append(out, property{"CPUQuotaPerSecUSec", dbus.MakeVariant(uint64(l.CPU * 1e6))})
	case l.Shares > 0 && s.Version == 1:
		out = append(out, property{"CPUShares", dbus.MakeVariant(uint64(max(l.Shares, 2)))})
	case l.Shares > 0:
		out = append(out, property{"CPUWeight", dbus.MakeVariant(uint64(sharesToWeight(l.Shares)))})
	}
	return out
}

// Remove removes a task's slice; one that is not there is no error. It fails
// while a container runs in it: to stop a slice is to stop what is in it.
func (s Slices) Remove(task string) error {
	name := sliceName(task)
	var running []process
	err := s.callManager("GetUnitProcesses", &running, name)
	if err == nil && len(running) > 0 {
		err = fmt.Errorf("process %d is in it", running[0].PID)
	}
	if err == nil {
		var job dbus.ObjectPath
		err = s.callManager("StopUnit", &job, name, "fail")
	}
	if err != nil && !isManagerError(err, "NoSuchUnit") {
		return fmt.Errorf("slice %s: %w", name, err)
	}
	return nil
}

func isManagerError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == systemd+"."+name
}

func (s Slices) callManager(method string, result any, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	call := s.call
	if call == nil {
		call = callOnBus
	}
	return call(ctx, method, result, args...)
}

// callOnBus asks on a connection of its own, which is a matter of a millisecond: a
// bus that was started anew needs no care.
func callOnBus(ctx context.Context, method string, result any, args ...any) error {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("the system's bus: %w", err)
	}
	defer conn.Close()
	object := conn.Object(systemd, dbus.ObjectPath("/"+strings.ReplaceAll(systemd, ".", "/")))
	call := object.CallWithContext(ctx, systemd+".Manager."+method, 0, args...)
	if result == nil {
		return call.Err
	}
	return call.Store(result)
}
