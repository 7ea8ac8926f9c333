// Command bench measures an Ashore of its own beside the engine that Ashore drives, on
// this machine and in one run. It prints a table and writes it as JSON.
//
// The machines are shared and noisy, so read ratios and medians. Engine and Ashore take
// turns, so that noise affects both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/sample/image"
	"github.com/ashore/ashore/test/installation"
)

const (
	benchLabel = "dev.ashore.bench"
	taskCPU    = 10 // units
	taskMemory = 32 // MiB
)

type options struct {
	singles, burst, rounds int
}

func main() {
	binary := flag.String("ashore", "bin/ashore", "the binary to measure")
	out := flag.String("json", "", "write the results to this file, too")
	var o options
	flag.IntVar(&o.singles, "singles", 150, "tasks to run one after the other")
	flag.IntVar(&o.burst, "burst", 50, "tasks in a burst")
	flag.IntVar(&o.rounds, "rounds", 3, "bursts of each kind")
	reads := flag.Bool("reads", false, "measure every list and describe operation on a store of full size instead")
	times := flag.Int("times", 500, "how often to call each, with -reads")
	profiles := flag.String("profiles", "", "a folder for CPU profiles: of what is over the budget, with -reads; of server and fleet under the burst and the rollout, with -scale")
	records := flag.String("records", "", "a folder to keep the store of full size in, or to find it, with -reads; its path must be short")
	scale := flag.Bool("scale", false, "measure a server and a fleet of simulated hosts, as processes of their own, instead")
	so := scaleOptions{}
	flag.StringVar(&so.sizes, "hosts", "100,1000,5000", "numbers of hosts, with -scale")
	flag.StringVar(&so.parts, "parts", strings.Join(scaleParts, ","), "what to measure, with -scale")
	flag.StringVar(&so.dir, "dir", "dist/scale", "a folder on a disk for the server's data, with -scale")
	flag.IntVar(&so.tasks, "tasks", 50_000, "tasks of the burst, with -scale")
	flag.IntVar(&so.callers, "callers", 8, "callers of RunTask, with -scale")
	flag.IntVar(&so.count, "count", 10, "tasks of each RunTask, with -scale")
	flag.IntVar(&so.service, "service", 5000, "tasks of a service, with -scale")
	flag.IntVar(&so.services, "services", 4, "services of that many tasks, made at once, with -scale")
	flag.IntVar(&so.lose, "lose", 100, "hosts to lose, a third of all at most, with -scale")
	flag.StringVar(&so.plot, "plot", "", "draw how the costs grow into this SVG file, with -scale")
	flag.DurationVar(&so.churn, "churn", 10*time.Minute, "how long to start and stop tasks, with -scale")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var r interface {
		print(io.Writer) error
		write(path string) error
	}
	var err error
	switch {
	case *scale:
		so.binary, so.profiles = *binary, *profiles
		r, err = measureScale(ctx, so)
	case *reads:
		r, err = measureReads(ctx, *times, *profiles, *records)
	default:
		r, err = run(ctx, *binary, o)
	}
	if err == nil {
		err = r.print(os.Stdout)
	}
	if err == nil && *out != "" {
		err = r.write(*out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, o options) (r *report, err error) {
	binary, err = filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ashore-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	in, err := installation.New(ctx, binary, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close(context.WithoutCancel(ctx))) }()
	version, err := in.Docker.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return nil, err
	}
	r = &report{Machine: thisMachine(version.Version)}
	began := time.Now()
	if err := in.Up(ctx); err != nil {
		return nil, err
	}
	up := time.Since(began)
	r.add(result{What: "ashore up on an empty data directory: server, sample image and agent ready", Unit: "ms", Value: ms(up),
		Budget: "API ready under 1 s", Met: met(up < time.Second)})
	b := &bench{options: o, report: r, in: in, engine: &engine{docker: in.Docker,
		image: image.NameFor(in.Admin.InstallationID), label: "ashore-bench-" + in.Admin.InstallationID[:12]}}
	for _, step := range []func(context.Context) error{
		b.startToReady, b.idleMemory, b.define, b.singleTasks, b.bursts, b.describeTasks, b.runTasks,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// bench is one run of the benchmark.
type bench struct {
	options
	report *report
	in     *installation.Installation
	engine *engine
}
