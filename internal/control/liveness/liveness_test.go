package liveness

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The transcripts' commands, one on each line. Times are since the leader began. The
// leader confirms its state every second unless the command is blind.
//
//	present|away|replaced|forget HOST…	hosts may be ranges: h1-9
//	wait DURATION
//	blind DURATION			the time passes without a confirmation
//	leader				another leader begins, with the same hosts
//	lost DURATION			prints the hosts that are lost after that time
//	due DURATION HOST
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now := begin
		tr := New(now)
		known := map[string]Presence{}
		var order []string
		observe := func(h string, p Presence) {
			if _, ok := known[h]; !ok {
				order = append(order, h)
			}
			known[h] = p
			tr.Observe(now, "c", h, p)
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				f := strings.Fields(line)
				switch f[0] {
				case "present", "away", "replaced":
					for _, h := range hosts(t, f[1:]) {
						observe(h, map[string]Presence{"present": Present, "away": Away, "replaced": Replaced}[f[0]])
					}
				case "forget":
					for _, h := range hosts(t, f[1:]) {
						delete(known, h)
						tr.Forget(now, "c", h)
					}
				case "wait":
					for left := duration(t, f[1]); left > 0; left -= time.Second {
						now = now.Add(min(left, time.Second))
						tr.Confirm(now)
					}
				case "blind":
					now = now.Add(duration(t, f[1]))
				case "leader":
					tr = New(now)
					for _, h := range order {
						if p, ok := known[h]; ok {
							tr.Observe(now, "c", h, p)
						}
					}
				case "lost":
					after := duration(t, f[1])
					var lost []string
					for h := range tr.Missing("c") {
						if tr.IsLost(now, "c", h, after) {
							lost = append(lost, h)
						}
					}
					away, expected, stands := tr.Clock("c")
					state := "the clock runs"
					if stands {
						state = "the clock stands"
					}
					fmt.Fprintf(&out, "%s: lost %v; %d away of %d, %s\n", now.Sub(begin), lost, away, expected, state)
				case "due":
					if at, ok := tr.LostAt(now, "c", f[2], duration(t, f[1])); ok {
						fmt.Fprintf(&out, "%s: %s due at %s\n", now.Sub(begin), f[2], at.Sub(begin))
					} else {
						fmt.Fprintf(&out, "%s: %s not due\n", now.Sub(begin), f[2])
					}
				default:
					t.Fatalf("%s: what is %q?", d.Pos, f[0])
				}
			}
			return out.String()
		})
	})
}

func duration(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func hosts(t *testing.T, args []string) (out []string) {
	for _, a := range args {
		first, last, isRange := strings.Cut(strings.TrimPrefix(a, "h"), "-")
		if !isRange {
			out = append(out, a)
			continue
		}
		var from, to int
		if _, err := fmt.Sscan(first+" "+last, &from, &to); err != nil {
			t.Fatal(err)
		}
		for i := from; i <= to; i++ {
			out = append(out, fmt.Sprintf("h%d", i))
		}
	}
	return out
}

// Whatever happens, the tracker agrees with one that counts second by second.
func TestAgainstCounting(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		now := time.Unix(0, 0)
		tr := New(now)
		type counted struct {
			p             Presence
			away, respite int // seconds
		}
		ref := map[string]*counted{}
		stands := func() bool {
			away, all := 0, 0
			for _, h := range ref {
				switch h.p {
				case Away:
					away++
					all++
				case Present:
					all++
				}
			}
			return away >= 2 && 3*away > all || away > 0 && away == all
		}
		n := 1 + rng.IntN(12)
		silent, seen := 0, 0 // seconds without confirmation; since the leader began to see
		stood, fromBegin := -1, false
		turn := func() {
			switch {
			case stands() && stood < 0:
				stood, fromBegin = 0, seen == 0
			case !stands() && stood >= 0:
				for _, h := range ref {
					if h.p == Away && stood > 0 {
						h.away, h.respite = 0, min(max(15, stood), 180)
						if fromBegin {
							h.respite = 180
						}
					}
				}
				stood = -1
			}
		}
		for range 300 {
			for range max(0, rng.IntN(9)-6) {
				h := fmt.Sprint(rng.IntN(n))
				if rng.IntN(20) == 0 {
					tr.Forget(now, "c", h)
					delete(ref, h)
					turn()
					continue
				}
				p := Presence(rng.IntN(3))
				tr.Observe(now, "c", h, p)
				if ref[h] == nil {
					ref[h] = &counted{}
				}
				if p == Present || ref[h].p == Present {
					ref[h].away, ref[h].respite = 0, 0
				}
				ref[h].p = p
				turn()
			}
			after := 1 + rng.IntN(30)
			for name, h := range ref {
				want := silent <= 5 && h.p != Present && h.away >= max(after, h.respite)
				if got := tr.IsLost(now, "c", name, time.Duration(after)*time.Second); got != want {
					t.Fatalf("%s: host %s lost after %d: %v; %+v, silent for %d", now, name, after, got, *h, silent)
				}
			}
			step := 1
			seen++
			if stands() {
				stood++
			} else {
				for _, h := range ref {
					if h.p != Present {
						h.away += step
					}
				}
			}
			now = now.Add(time.Second)
			silent++
			if silent <= 5 && rng.IntN(40) == 0 || silent > 5 && rng.IntN(3) > 0 {
				continue // blind on
			}
			if rng.IntN(4) == 0 && silent < 5 {
				continue
			}
			tr.Confirm(now)
			if silent > 5 {
				for _, h := range ref {
					h.away, h.respite = 0, 0
				}
				if seen = 0; stood >= 0 {
					stood, fromBegin = 0, true
				}
			}
			silent = 0
		}
	}
}
