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

// Slices creates a task's cgroup as a systemd slice. It is for engines that let systemd
// create their containers' cgroups: then only systemd may write to the hierarchy. Constant
// after construction.
type Slices struct {
	Version int // of the hierarchy

	// call calls systemd's manager; nil: by the system bus.
	call func(ctx context.Context, method string, result any, args ...any) error
}

const (
	systemd    = "org.freedesktop.systemd1"
	busTimeout = 20 * time.Second // systemd usually answers within milliseconds
)

// property is a property of a unit, as StartTransientUnit and SetUnitProperties expect it.
type property struct {
	Name  string
	Value dbus.Variant
}

// auxiliary is a further unit for StartTransientUnit. None is used.
type auxiliary struct {
	Name       string
	Properties []property
}

// process is a process in a unit's cgroup, as GetUnitProcesses returns it.
type process struct {
	Cgroup  string
	PID     uint32
	Command string
}

// IsUsable reports whether systemd runs here and lets this process create slices.
func (s Slices) IsUsable() bool {
	probe := fmt.Sprintf("probe%d", os.Getpid()) // other agents on this machine use other names
	if _, err := s.Create(probe, Limits{}); err != nil {
		return false
	}
	return s.Remove(probe) == nil
}

// sliceName returns the name of a task's slice, the same as ECS's agent uses.
func sliceName(task string) string { return "ecstasks-" + task + ".slice" }

// Create creates a task's slice, or changes the limits of an existing one. It returns the
// slice's name for use as a container's parent. It does not wait until the slice has
// started; the start of a container's scope in it does.
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

// Remove removes a task's slice. It returns no error if the slice does not exist. It fails
// while a container runs in it, since stopping a slice stops its processes.
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

// callOnBus calls systemd's manager by a new connection, which takes about a millisecond.
// So a restart of the bus needs no special care.
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
