package definition

import (
	"math"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
)

// parseCPU parses a task's cpu: units ("256") or vCPUs (".25 vCPU"). It returns
// units; 0 if s is empty.
func parseCPU(s string) (int, error) {
	n, ok := parseScaled(s, "vcpu", 1<<20)
	if !ok {
		return 0, refuse.Client("Invalid 'cpu' setting for task. %q is neither a number of CPU units nor one of vCPUs, such as 256 or .25 vCPU.", s)
	}
	return n, nil
}

// parseMemory parses a task's memory: MiB ("512") or GB ("1 GB"). It returns MiB; 0
// if s is empty.
func parseMemory(s string) (int, error) {
	n, ok := parseScaled(s, "gb", 1<<30)
	if !ok {
		return 0, refuse.Client("Invalid 'memory' setting for task. %q is neither a number of MiB nor one of GB, such as 512 or 0.5 GB.", s)
	}
	return n, nil
}

// parseScaled parses a positive integer up to limit, or a decimal number of a unit of
// 1024. It rounds nothing.
func parseScaled(s, unit string, limit int) (int, bool) {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "" {
		return 0, true
	}
	v, big := strings.CutSuffix(t, unit)
	if !big {
		n, err := strconv.Atoi(t)
		return n, err == nil && n > 0 && n <= limit && t[0] != '+'
	}
	v = strings.TrimSpace(v)
	if v == "" || strings.Trim(v, "0123456789.") != "" { // no exponents, hexadecimals, infinities
		return 0, false
	}
	f, err := strconv.ParseFloat(v, 64)
	f *= 1024
	if err != nil || f < 1 || f > float64(limit) || f != math.Trunc(f) {
		return 0, false
	}
	return int(f), true
}
