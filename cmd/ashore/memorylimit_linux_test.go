package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestCgroupMemory(t *testing.T) {
	const none = math.MaxInt64
	for name, tt := range map[string]struct {
		self  string
		files map[string]string
		want  int64
	}{
		"version 2":              {"0::/a/b\n", map[string]string{"a/b/memory.max": "512\n", "a/memory.max": "1024\n"}, 512},
		"a parent's":             {"0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "1024\n"}, 1024},
		"none":                   {"0::/a\n", map[string]string{"a/memory.max": "max\n"}, none},
		"version 1":              {"9:cpu,cpuacct:/x\n4:memory:/a\n0::/\n", map[string]string{"memory/a/memory.limit_in_bytes": "700\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"}, 700},
		"another's path":         {"4:memory:/docker/123\n", map[string]string{"memory/memory.limit_in_bytes": "600\n"}, 600},
		"nothing that is a path": {"nonsense\n::\n", nil, none},
	} {
		mount := t.TempDir()
		for path, text := range tt.files {
			path = filepath.Join(mount, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := cgroupMemory(mount, tt.self); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
