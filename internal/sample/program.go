// Package sample is the program in the sample image: a few small tools in Ashore's own
// binary. As with busybox, the program's name selects the tool.
//
//	sample       serves an HTTP page on $PORT (8080) until SIGTERM
//	sleep N      sleeps N seconds (or 5m, 2h, infinity)
//	env          prints its environment
//	exit N       ends with status N
//
// It imports only the standard library. Package early runs it before the rest of the
// binary is initialised, so it needs a few MiB and no time.
package sample

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Names are the names of the tools in the image.
var Names = []string{"sample", "sleep", "env", "exit"}

// Main runs the tool and returns its exit status: 0, the requested status, 143 if
// SIGTERM ended it (as a shell reports it), or 2 for wrong arguments.
func Main(name string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return Run(ctx, name, args, os.Stdout, os.Stderr)
}

// Run is Main without the process.
func Run(ctx context.Context, name string, args []string, stdout, stderr io.Writer) int {
	status, err := run(ctx, name, args, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	return status
}

const (
	statusWrong      = 2
	statusTerminated = 128 + 15
)

func run(ctx context.Context, name string, args []string, stdout io.Writer) (int, error) {
	switch name {
	case "sample":
		if len(args) != 0 {
			return statusWrong, fmt.Errorf("takes no arguments, the port is $PORT")
		}
		if err := serve(ctx, stdout); err != nil {
			return 1, err
		}
		return 0, nil
	case "sleep":
		d, err := parseSleep(args)
		if err != nil {
			return statusWrong, err
		}
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return 0, nil
		case <-ctx.Done():
			return statusTerminated, nil
		}
	case "env":
		if len(args) != 0 {
			return statusWrong, fmt.Errorf("takes no arguments, it only prints")
		}
		vars := os.Environ()
		slices.Sort(vars)
		for _, v := range vars {
			if _, err := fmt.Fprintln(stdout, v); err != nil {
				return 1, err
			}
		}
		return 0, nil
	case "exit":
		if len(args) != 1 {
			return statusWrong, fmt.Errorf("takes one argument, the status")
		}
		n, err := strconv.ParseUint(args[0], 10, 8)
		if err != nil {
			return statusWrong, fmt.Errorf("the status is 0 to 255, not %q", args[0])
		}
		return int(n), nil
	}
	return statusWrong, fmt.Errorf("no such tool, there are %s", strings.Join(Names, ", "))
}

// parseSleep returns the sum of its arguments, as sleep does.
func parseSleep(args []string) (time.Duration, error) {
	if len(args) == 0 {
		return 0, fmt.Errorf("takes a time, such as 360 or 5m")
	}
	var sum float64
	for _, a := range args {
		unit, number := 1.0, a
		if n := len(a); n > 0 {
			if u, ok := map[byte]float64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400}[a[n-1]]; ok {
				unit, number = u, a[:n-1]
			}
		}
		if a == "infinity" {
			number = "inf"
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil || f < 0 || math.IsNaN(f) {
			return 0, fmt.Errorf("not a time: %q", a)
		}
		sum += f * unit
	}
	if sum > math.MaxInt64/float64(time.Second) {
		return math.MaxInt64, nil
	}
	return time.Duration(sum * float64(time.Second)), nil
}
