package power

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestDiskLosesWhatWasNotSynced tests the machine itself. At each cut a synced file
// stays, a file that was only written is lost, the boot id changes, and the file system
// is sound. If the disk ignores flushes, synced files are lost, and this test must
// notice it.
func TestDiskLosesWhatWasNotSynced(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed(t), 0))
	for _, eats := range []bool{false, true} {
		t.Run(fmt.Sprintf("eats flushes %v", eats), func(t *testing.T) {
			m := newMachine(t, rng, 64<<20)
			lost, ids := 0, map[string]bool{}
			for cut := range 6 {
				m.Disk.IgnoreFlushes(eats)
				dir := m.mounted()
				m.Run = []program{{Name: "writer", Log: m.path("log", "writer"), Args: []string{"sh", "-ec", fmt.Sprintf(
					`cd %s; cat /proc/sys/kernel/random/boot_id; ls; echo synced > synced-%d; sync synced-%d; sync .; echo written > written-%d`, dir, cut, cut, cut)}}}
				err := m.Boot()
				if err == nil {
					err = m.Await("ended writer 0", patience)
				}
				m.Cut()
				if eats && err != nil { // even the file system is damaged
					t.Log(err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				said, err := os.ReadFile(m.path("log", "writer"))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(m.path("log", "writer")); err != nil {
					t.Fatal(err)
				}
				words := strings.Fields(string(said))
				ids[words[0]] = true
				have := map[string]bool{}
				for _, w := range words[1:] {
					have[w] = true
				}
				for before := range cut {
					if !have[fmt.Sprint("synced-", before)] {
						lost++
					}
					if have[fmt.Sprint("written-", before)] {
						t.Errorf("boot %d: what was not synced is there: %s", cut, said)
					}
				}
			}
			if len(ids) != 6 {
				t.Errorf("6 boots had the ids %v", ids)
			}
			if !eats && lost > 0 || eats && lost == 0 {
				t.Errorf("%d times a file that was synced was lost", lost)
			}
			if !eats {
				if err := m.Disk.Check(m.path("check")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
