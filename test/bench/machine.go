package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine describes the machine of the measurement.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Engine string `json:"engine,omitempty"`
}

func (m machine) String() string {
	engine := ""
	if m.Engine != "" {
		engine = "Docker Engine " + m.Engine + ", "
	}
	return fmt.Sprintf("%d cores (%s), %s, Linux %s, %s%s", m.Cores, m.CPU, m.Memory, m.Kernel, engine, m.Go)
}

func thisMachine(engineVersion string) machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Engine: engineVersion, CPU: "unknown", Memory: "unknown", Kernel: "unknown"}
	if v := field("/proc/cpuinfo", "model name"); v != "" {
		m.CPU = v
	}
	if v := field("/proc/meminfo", "MemTotal"); v != "" {
		m.Memory = v
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

// field returns the value of the first line "name : value" of a file of /proc.
func field(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
