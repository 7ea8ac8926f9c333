//go:build linux

package upgrade

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/moby/moby/client"

	"github.com/ashore/ashore/test/installation"
)

// move is one way of going from one version to the other: which process is first, and
// which of the two are killed.
type move struct {
	first string
	kill  map[string]bool
}

// moves are up, down, up again, and then as chance has it.
func moves(n int) []move {
	all := []move{
		{"server", map[string]bool{"server": true}},
		{"agent", map[string]bool{"agent": true}},
		{"agent", map[string]bool{"server": true}},
	}
	for len(all) < n {
		m := move{"server", map[string]bool{"server": rand.IntN(2) == 0, "agent": rand.IntN(2) == 0}}
		if rand.IntN(2) == 0 {
			m.first = "agent"
		}
		all = append(all, m)
	}
	return all[:n]
}

// TestUpAndDown goes from one version to the other and back under load: what was
// acknowledged is there, no container that runs is touched, services have what they
// want, and the API says the same as before. Each stored record has a member that neither
// version knows, and keeps it while both write the record anew.
func TestUpAndDown(t *testing.T) {
	s := newScene(t)
	w := s.populate()
	definitions := [2]string{s.define(rolling), s.define(rolling)}
	stay := s.mark()
	before, running := s.answers(w), s.startedAt(w.standing)
	if len(running) != len(w.standing) {
		t.Fatalf("%d containers run for %d tasks", len(running), len(w.standing))
	}
	load, end := s.start(definitions)
	defer end()
	load.goesOn()
	for i, m := range moves(*movesFlag) {
		to := s.this
		if i%2 == 1 {
			to = s.other
		}
		second := "agent"
		if m.first == "agent" {
			second = "server"
		}
		for _, process := range []string{m.first, second} {
			s.replace(process, to, m.kill[process])
			load.goesOn()
			if is := s.startedAt(w.standing); !maps.Equal(is, running) {
				t.Errorf("containers were touched: %v, then %v", running, is)
			}
			s.touch(w)
			s.same(before, s.answers(w))
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	end()
	load.check()
	s.once()
	s.kept(stay)
	s.logs()
	s.noVolumes(load)
}

// once checks by both witnesses that no container was started twice, and that no task
// had two.
func (s *scene) once() {
	s.Helper()
	events, err := s.witness.Started()
	if err != nil {
		s.Fatal(err)
	}
	labels, tasks := s.witness.Labels(), map[string]int{}
	for id, n := range events {
		tasks[labels[id][labelTask]] += n
	}
	for task, n := range tasks {
		if n != 1 {
			s.Errorf("%s was started %d times", task, n)
		}
	}
	// A container that is stopped at once may have had no time to tell of its start.
	told, err := s.witness.Testified()
	if err != nil {
		s.Fatal(err)
	}
	if len(told) == 0 {
		s.Error("no container has told of its start")
	}
	for id, n := range told {
		if n > 1 {
			s.Errorf("container %s says that it was started %d times", id, n)
		}
	}
	s.Logf("%d tasks were started", len(tasks))
}

// noVolumes waits until the engine has volumes of running tasks only: whichever
// version has provided them, the other one releases them.
func (s *scene) noVolumes(l *load) {
	s.Helper()
	s.until("volumes of ended tasks are gone", func() string {
		r, err := s.Docker.VolumeList(s.ctx, client.VolumeListOptions{Filters: make(client.Filters).Add("label", installation.Label+"="+s.Admin.InstallationID)})
		if err != nil {
			s.Fatal(err)
		}
		want := len(l.running) + 1 // one is a standing task's
		if n := len(r.Items); n != want {
			return fmt.Sprintf("%d volumes for %d tasks", n, want)
		}
		return ""
	})
}
