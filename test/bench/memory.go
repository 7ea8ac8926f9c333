package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory is a process's resident memory in MB (10^6 bytes). The anonymous part is its
// own memory, and not pages of files that the kernel may drop.
type memory struct{ resident, anonymous float64 }

func memoryOf(pid int) (memory, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	b, err := os.ReadFile(path)
	if err != nil {
		return memory{}, err
	}
	var m memory
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		kb, err := strconv.ParseFloat(f[1], 64)
		switch {
		case f[0] != "Rss:" && f[0] != "Anonymous:":
		case err != nil:
			return memory{}, fmt.Errorf("%s: %w", path, err)
		case f[0] == "Rss:":
			m.resident = kb * 1024 / 1e6
		default:
			m.anonymous = kb * 1024 / 1e6
		}
	}
	return m, nil
}

func (b *bench) memory(process string) (memory, error) {
	pid, err := b.in.PID(process)
	if err != nil {
		return memory{}, err
	}
	return memoryOf(pid)
}

func (b *bench) idleMemory(context.Context) error {
	for _, p := range []struct {
		name  string
		limit float64
	}{{"server", 100}, {"agent", 30}} {
		m, err := b.memory(p.name)
		if err != nil {
			return err
		}
		b.report.add(result{What: p.name + " idle, anonymous memory", Unit: "MB", Value: m.anonymous,
			Budget: fmt.Sprintf("under %g MB", p.limit), Met: met(m.anonymous < p.limit)})
		b.report.add(result{What: p.name + " idle, resident memory", Unit: "MB", Value: m.resident})
	}
	return nil
}
