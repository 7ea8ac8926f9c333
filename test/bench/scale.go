package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// scaleOptions select the parts of the measurement at scale, and their sizes.
type scaleOptions struct {
	binary   string
	dir      string // on a disk; it is kept if it existed
	sizes    string // hosts of each run
	parts    string
	tasks    int // in the burst
	callers  int
	count    int // of each RunTask
	service  int // tasks of a service
	services int // number, for the part services
	lose     int // hosts
	churn    time.Duration
	plot     string // file name
	profiles string // folder for CPU profiles of both processes during the burst and the rollout
}

// scaleParts are the parts that can be measured, in their order.
var scaleParts = []string{"services", "burst", "rollout", "loss", "churn"}

// size is the result of one run on a number of hosts.
type size struct {
	Hosts   int      `json:"hosts"`
	Results []result `json:"results"`
}

func (s *size) add(x result) { s.Results = append(s.Results, x) }

// scaleReport is the result of all runs.
type scaleReport struct {
	Machine machine `json:"machine"`
	Sizes   []*size `json:"sizes"`
}

// measureScale measures server and fleet with each number of hosts.
func measureScale(ctx context.Context, o scaleOptions) (*scaleReport, error) {
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return nil, err
	}
	o.binary = binary
	for _, p := range strings.Split(o.parts, ",") {
		if !slices.Contains(scaleParts, p) {
			return nil, fmt.Errorf("-parts: %q is none of %s", p, strings.Join(scaleParts, ", "))
		}
	}
	r := &scaleReport{Machine: thisMachine("")}
	for _, text := range strings.Split(o.sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-hosts: %q is not a number of hosts", text)
		}
		s := &size{Hosts: n}
		if err := o.measure(ctx, s); err != nil {
			return nil, fmt.Errorf("%d hosts: %w", n, err)
		}
		r.Sizes = append(r.Sizes, s)
	}
	if o.plot != "" {
		return r, r.plot(o.plot)
	}
	return r, nil
}

func (o scaleOptions) measure(ctx context.Context, r *size) (err error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	run, err := os.MkdirTemp("", "scale-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(run)) }()
	s := &scaled{binary: o.binary, dir: dir, run: run, hosts: r.Hosts}
	defer func() { err = errors.Join(err, s.end()) }()
	joined, err := s.begin(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d hosts joined in %s\n", r.Hosts, joined.Round(time.Millisecond))
	r.add(result{What: "hosts registered and connected", Unit: "s", Value: joined.Seconds()})
	if err := s.define(ctx); err != nil {
		return err
	}
	m := &scaleRun{scaleOptions: o, scaled: s, out: r}
	if err := m.recordMemory(ctx, "idle"); err != nil {
		return err
	}
	steps := map[string]func(context.Context) error{"services": m.createServices, "burst": m.burst, "rollout": m.rollout, "loss": m.loss, "churn": m.churnTasks}
	for _, part := range scaleParts {
		if !slices.Contains(strings.Split(o.parts, ","), part) {
			continue
		}
		if err := steps[part](ctx); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	st, err := s.stats(ctx)
	if err != nil {
		return err
	}
	r.add(result{What: "containers started more than once, by the fleet's witness", Value: float64(st.Repeated), Budget: "none", Met: met(st.Repeated == 0)})
	return nil
}

// scaleRun is one run with one number of hosts.
type scaleRun struct {
	scaleOptions
	*scaled
	out *size
}

const (
	scaleCluster = "default"
	scaleFamily  = "scale"
)

// define registers two revisions of the definition that runs.
func (s *scaled) define(ctx context.Context) error {
	for range 2 {
		_, err := s.client.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String(scaleFamily), NetworkMode: types.NetworkModeBridge,
			ContainerDefinitions: []types.ContainerDefinition{{
				Name: aws.String("main"), Image: aws.String("simulated"), Essential: aws.Bool(true), Cpu: 16, Memory: aws.Int32(16),
			}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// recordMemory records the memory of the processes.
func (m *scaleRun) recordMemory(ctx context.Context, when string) error {
	for _, p := range []struct {
		name string
		*process
	}{{"server", m.server}, {"fleet", m.fleet}} {
		heap, err := p.heap(ctx)
		if err != nil {
			return err
		}
		mem, err := p.memory()
		if err != nil {
			return err
		}
		x := result{What: p.name + ", anonymous memory, " + when, Unit: "MB", Value: mem.anonymous}
		if p.name == "server" {
			x.Budget, x.Met = "under 1,500 MB at 100,000 tasks", met(mem.anonymous < 1500)
		}
		m.out.add(x)
		m.out.add(result{What: p.name + ", live heap, " + when, Unit: "MB", Value: heap})
	}
	return nil
}

// usage is the CPU time of a piece of work, by process.
type usage struct{ server, fleet, client time.Duration }

// measureUsage measures what do uses.
func (m *scaleRun) measureUsage(do func() error) (u usage, took time.Duration, err error) {
	read := func() (u usage, err error) {
		var errs [3]error
		u.server, errs[0] = m.server.cpu()
		u.fleet, errs[1] = m.fleet.cpu()
		u.client, errs[2] = (&process{cmd: self}).cpu()
		return u, errors.Join(errs[:]...)
	}
	before, err := read()
	if err != nil {
		return u, 0, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return u, 0, err
	}
	took = time.Since(began)
	after, err := read()
	return usage{after.server - before.server, after.fleet - before.fleet, after.client - before.client}, took, err
}

// addUsage records a usage, in all and for each of n.
func (m *scaleRun) addUsage(what string, u usage, n int) {
	for _, p := range []struct {
		name string
		cpu  time.Duration
	}{{"server", u.server}, {"fleet", u.fleet}, {"measuring client", u.client}} {
		m.out.add(result{What: fmt.Sprintf("%s, %s", what, p.name), Unit: "µs of CPU a task", Value: float64(p.cpu.Microseconds()) / float64(n)})
	}
	both := float64((u.server + u.fleet).Microseconds()) / float64(n)
	m.out.add(result{What: what + ", server and fleet together", Unit: "µs of CPU a task", Value: both, Budget: "400 µs", Met: met(both <= 400)})
}

func (r *scaleReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprint(t, "WHAT")
	for _, s := range r.Sizes {
		fmt.Fprintf(t, "\t%d HOSTS", s.Hosts)
	}
	fmt.Fprintln(t, "\tUNIT\tBUDGET")
	for _, what := range r.rows() {
		fmt.Fprint(t, what.What)
		for _, s := range r.Sizes {
			x, ok := s.find(what.What)
			switch {
			case !ok:
				fmt.Fprint(t, "\t-")
			case x.Met != nil && !*x.Met:
				fmt.Fprintf(t, "\t%.4g (NOT met)", x.Value)
			default:
				fmt.Fprintf(t, "\t%.4g", x.Value)
			}
		}
		fmt.Fprintf(t, "\t%s\t%s\n", what.Unit, what.Budget)
	}
	return t.Flush()
}

// rows returns the figures of all runs, each once.
func (r *scaleReport) rows() []result {
	var out []result
	for _, s := range r.Sizes {
		for _, x := range s.Results {
			if !slices.ContainsFunc(out, func(o result) bool { return o.What == x.What }) {
				out = append(out, x)
			}
		}
	}
	return out
}

func (s *size) find(what string) (result, bool) {
	i := slices.IndexFunc(s.Results, func(x result) bool { return x.What == what })
	if i < 0 {
		return result{}, false
	}
	return s.Results[i], true
}

func (r *scaleReport) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
