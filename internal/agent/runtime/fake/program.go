package fake

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Program is what a container does.
type Program struct {
	HasEnd      bool
	After       time.Duration // until it ends by itself
	Code        int
	OOM         bool
	Feeds       bool          // its child process is killed for lack of memory, and it goes on
	FeedsAfter  time.Duration // after the start
	Deaf        bool          // it ignores the stop signal
	Revived     bool          // the engine restarts it if it ends by other means than Stop
	Health      string
	HealthAfter time.Duration
	Says        []output // its output, ordered by time
}

// ParseProgram parses a sequence of the commands `sleep SECONDS`, `exit CODE`, `deaf`,
// `revived`, `healthy SECONDS`, `unhealthy SECONDS`, `oom`, `feed MIB`. `http PORT`,
// `append FILE LINE`, `say TEXT`, `complain TEXT` and `env` take no time. `chatter N`
// takes little time: it writes N lines to each stream. A program with an unknown command
// runs for ever.
func ParseProgram(command []string) Program {
	var p Program
	for len(command) > 0 {
		word := command[0]
		command = command[1:]
		number := func() float64 {
			if len(command) == 0 {
				return 0
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(command[0]), 64)
			if err != nil {
				v = 0
			}
			command = command[1:]
			return v
		}
		span := func() time.Duration { return time.Duration(number() * float64(time.Second)) }
		switch word {
		case "sleep":
			p.After += span()
			p.HasEnd = true
		case "exit":
			p.Code, p.HasEnd = int(number()), true
			return p
		case "revived":
			p.Revived = true
		case "deaf":
			p.Deaf = true
		case "healthy":
			p.Health, p.HealthAfter = runtime.Healthy, span()
		case "unhealthy":
			p.Health, p.HealthAfter = runtime.Unhealthy, span()
		case "oom":
			p.OOM, p.Code, p.HasEnd = true, 137, true
			return p
		case "feed":
			number()
			p.Feeds, p.FeedsAfter = true, p.After
		case "http":
			number()
		case "append":
			command = command[min(2, len(command)):]
		case "say", "complain":
			s := output{after: p.After, stream: runtime.Stdout}
			if word == "complain" {
				s.stream = runtime.Stderr
			}
			if len(command) > 0 {
				s.text, command = command[0], command[1:]
			}
			p.Says = append(p.Says, s)
		case "chatter":
			for i := range int(number()) {
				p.Says = append(p.Says, output{p.After, runtime.Stdout, fmt.Sprint("out ", i)}, output{p.After, runtime.Stderr, fmt.Sprint("err ", i)})
				if i%10 == 9 {
					p.After += 10 * time.Millisecond
				}
			}
		case "env":
		default:
			return Program{}
		}
	}
	return p
}
