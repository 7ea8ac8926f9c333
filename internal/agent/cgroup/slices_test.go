package cgroup

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// manager is a part of systemd's manager: units by name with their limits.
type manager struct {
	units   map[string]map[string]any
	running map[string][]process
	asked   []string
}

func (m *manager) call(_ context.Context, method string, result any, args ...any) error {
	name := args[0].(string)
	m.asked = append(m.asked, method)
	if method == "StartTransientUnit" {
		if m.units[name] != nil {
			return dbus.Error{Name: systemd + ".UnitExists"}
		}
		m.units[name] = map[string]any{}
		m.set(name, args[2].([]property))
		return nil
	}
	if m.units[name] == nil {
		return dbus.Error{Name: systemd + ".NoSuchUnit", Body: []any{"Unit " + name + " not loaded."}}
	}
	switch method {
	case "SetUnitProperties":
		m.set(name, args[2].([]property))
	case "GetUnitProcesses":
		*result.(*[]process) = m.running[name]
	case "StopUnit":
		delete(m.units, name)
	default:
		return fmt.Errorf("method %s", method)
	}
	return nil
}

func (m *manager) set(name string, properties []property) {
	for _, p := range properties {
		m.units[name][p.Name] = p.Value.Value()
	}
}

func TestSlices(t *testing.T) {
	m := &manager{units: map[string]map[string]any{}, running: map[string][]process{}}
	s := Slices{Version: 2, call: m.call}
	if !s.IsUsable() || len(m.units) > 0 {
		t.Fatalf("not usable, or something is left: %v", m.units)
	}
	limits := func() map[string]any {
		out := map[string]any{}
		for k, v := range m.units["ecstasks-abc.slice"] {
			if k != "Description" {
				out[k] = v
			}
		}
		return out
	}
	for _, c := range []struct {
		version int
		l       Limits
		want    map[string]any
	}{
		{2, Limits{CPU: 0.25, Shares: 512, Memory: 64 << 20}, map[string]any{"CPUQuotaPerSecUSec": uint64(250_000), "MemoryMax": uint64(64 << 20)}},
		{2, Limits{Shares: 1024}, map[string]any{"CPUWeight": uint64(39)}},
		{2, Limits{Shares: 1}, map[string]any{"CPUWeight": uint64(1)}},
		{1, Limits{Shares: 512, Memory: 1 << 30}, map[string]any{"CPUShares": uint64(512), "MemoryMax": uint64(1 << 30)}},
		{2, Limits{}, map[string]any{}},
	} {
		s.Version = c.version
		parent, err := s.Create("abc", c.l)
		if err != nil || parent != "ecstasks-abc.slice" {
			t.Fatal(parent, err)
		}
		if got := limits(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("version %d, %+v: %v, want %v", c.version, c.l, got, c.want)
		}
		if err := s.Remove("abc"); err != nil || len(m.units) > 0 {
			t.Fatal(err, m.units)
		}
	}

	// An existing slice gets the new limits, as after an agent's restart.
	for _, memory := range []int64{1 << 20, 2 << 20} {
		if _, err := s.Create("abc", Limits{Memory: memory}); err != nil {
			t.Fatal(err)
		}
	}
	if got := limits()["MemoryMax"]; got != uint64(2<<20) {
		t.Errorf("limit %v after the second time", got)
	}

	// Stopping a slice with a container in it would stop the container.
	m.running["ecstasks-abc.slice"] = []process{{"/ecstasks.slice/ecstasks-abc.slice/docker-1.scope", 4711, "/sample"}}
	if err := s.Remove("abc"); err == nil || !strings.Contains(err.Error(), "4711") {
		t.Errorf("a slice with a process in it: %v", err)
	}
	if m.units["ecstasks-abc.slice"] == nil {
		t.Error("it was stopped")
	}
	delete(m.running, "ecstasks-abc.slice")
	for range 2 { // a missing slice is no error
		if err := s.Remove("abc"); err != nil {
			t.Error(err)
		}
	}
}

func TestNoSystemd(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
	if (Slices{Version: 2}).IsUsable() {
		t.Error("usable without a bus")
	}
}
