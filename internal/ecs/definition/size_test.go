package definition

import (
	"strconv"
	"strings"
	"testing"
)

func TestSizes(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "256": 256, "1 vCPU": 1024, "1vcpu": 1024, ".5 vcpu": 512, "0.25 vCPU": 256, ".125 VCPU": 128, " 2 vCPU ": 2048, "192 vCPU": 196608,
		"-1": -1, "0": -1, "+5": -1, "1.5": -1, "vCPU": -1, ". vCPU": -1, "0.3 vCPU": -1, "1e1 vCPU": -1, "inf vCPU": -1, "1,5 vCPU": -1, "1 GB": -1,
	} {
		if n, err := parseCPU(s); (err != nil) != (want < 0) || err == nil && n != want {
			t.Errorf("cpu %q: %d, %v; want %d", s, n, err, want)
		}
	}
	for s, want := range map[string]int{"": 0, "512": 512, "1GB": 1024, "1 GB": 1024, "0.5 GB": 512, ".5gb": 512, "30 gb": 30720, "1 TB": -1, "512 MB": -1, "0x10 GB": -1, "1 vCPU": -1} {
		if n, err := parseMemory(s); (err != nil) != (want < 0) || err == nil && n != want {
			t.Errorf("memory %q: %d, %v; want %d", s, n, err, want)
		}
	}
}

// Whatever is taken is a whole positive number, and means the same when it is
// written plainly, as it is stored.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"", "256", ".25 vCPU", "1 vcpu", "0.5 GB", "1GB", "1e3", "NaN GB", "0x1p-2 vCPU", "99999999999999999999", "-1", "1.0009765625 gb", "1..0 GB", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, read := range map[string]func(string) (int, error){"cpu": parseCPU, "memory": parseMemory} {
			n, err := read(s)
			switch {
			case err != nil:
				if !strings.Contains(err.Error(), "'"+name+"' setting for task") {
					t.Errorf("%q: %v", s, err)
				}
			case n < 0 || n == 0 && strings.TrimSpace(s) != "":
				t.Errorf("%s %q was read as %d", name, s, n)
			case n > 0:
				if again, err := read(strconv.Itoa(n)); err != nil || again != n {
					t.Errorf("%s %q was read as %d, and that as %d: %v", name, s, n, again, err)
				}
			}
		}
	})
}
