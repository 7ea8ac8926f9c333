package engine

import (
	"strings"

	"github.com/ashore/ashore/internal/wire/acs"
)

// dependencies returns a container's dependencies: those that it names, and those that
// follow from its volumes and links.
func dependencies(d *acs.Container) []acs.Dependency {
	out := d.DependsOn
	if len(d.VolumesFrom)+len(d.Links) > 0 {
		out = append([]acs.Dependency(nil), out...)
	}
	for _, v := range d.VolumesFrom {
		out = append(out, acs.Dependency{ContainerName: v.SourceContainer, Condition: acs.ConditionCreate})
	}
	for _, l := range d.Links {
		name, _, _ := strings.Cut(l, ":")
		out = append(out, acs.Dependency{ContainerName: name, Condition: acs.ConditionStart})
	}
	return out
}

// isResolvable reports whether a task's dependencies can ever be met. They must name
// containers of the task, contain no cycle, and require HEALTHY only of a container with a
// health check.
func isResolvable(t *acs.Task) bool {
	const (
		unseen = iota
		open
		done
	)
	state := map[string]int{}
	byName := map[string]*acs.Container{}
	for i := range t.Containers {
		byName[t.Containers[i].Name] = &t.Containers[i]
	}
	var visit func(name string) bool
	visit = func(name string) bool {
		c := byName[name]
		if c == nil || state[name] == open {
			return false
		}
		if state[name] == done {
			return true
		}
		state[name] = open
		for _, d := range dependencies(c) {
			o := byName[d.ContainerName]
			if o == nil || !visit(d.ContainerName) {
				return false
			}
			switch d.Condition {
			case acs.ConditionCreate, acs.ConditionStart, acs.ConditionComplete, acs.ConditionSuccess:
			case acs.ConditionHealthy:
				if o.HealthCheckType != acs.HealthCheckDocker {
					return false
				}
			default:
				return false
			}
		}
		state[name] = done
		return true
	}
	for name := range byName {
		if !visit(name) {
			return false
		}
	}
	return true
}

// hasDynamicPorts reports whether a container has a mapping without a fixed host port.
func hasDynamicPorts(d *acs.Container) bool {
	for _, p := range d.PortMappings {
		if p.HostPort == 0 {
			return true
		}
	}
	return false
}
