package sim

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
)

// Stats are the numbers of a fleet at one moment.
type Stats struct {
	Hosts       int `json:"hosts"`
	Joined      int `json:"joined"`    // connected at least once
	Connected   int `json:"connected"` // connected now
	Lost        int `json:"lost"`
	Partitioned int `json:"partitioned"`

	// Started is the number of containers that were started at least once, as the
	// machines have counted. Repeated is the number of those that were started more
	// than once.
	Started  int `json:"started"`
	Repeated int `json:"repeated"`
	Running  int `json:"running"`

	CPUSeconds float64 `json:"cpuSeconds"` // of this process
	Anonymous  int64   `json:"anonymousBytes"`
	Heap       uint64  `json:"heapBytes"` // in objects, live or not yet collected
	Goroutines int     `json:"goroutines"`
}

// Stats returns the current numbers.
func (f *Fleet) Stats() (Stats, error) {
	s := Stats{Hosts: f.cfg.Hosts, Joined: int(f.joined.Load()), Connected: int(f.connected.Load()), Goroutines: runtime.NumGoroutine()}
	f.mu.Lock()
	for _, m := range f.members {
		switch m.away {
		case lost:
			s.Lost++
		case partitioned:
			s.Partitioned++
		}
		w := m.host.Machine().Witness()
		s.Started += w.Started
		s.Repeated += w.Repeated
		s.Running += w.Running
	}
	f.mu.Unlock()
	var err error
	if s.CPUSeconds, err = cpuSeconds(); err != nil {
		return s, err
	}
	if s.Anonymous, err = anonymousMemory(); err != nil {
		return s, err
	}
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	s.Heap = sample[0].Value.Uint64()
	return s, nil
}

// cpuSeconds returns the CPU time of this process, in user and kernel mode.
func cpuSeconds() (float64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, nil
}

// anonymousMemory returns this process's memory in bytes, without pages of files.
func anonymousMemory() (n int64, err error) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			_, err := fmt.Sscanf(v, "%d kB", &n)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no RssAnon")
}
