// Package explain writes sentences about why a task or a service is as it is, and
// what would help. It is pure: records go in, an explanation comes out.
package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/placement"
)

// The kinds of resources that are explained.
const (
	KindTask           = "task"
	KindService        = "service"
	KindTaskDefinition = "task-definition"
)

// Explanation is what is known of a resource, the most important first.
type Explanation struct {
	Kind      string      `json:"kind"`
	ARN       string      `json:"arn"`
	Status    string      `json:"status,omitempty"`
	Findings  []Finding   `json:"findings,omitempty"`
	Placement []Placement `json:"placement,omitempty"`
}

// Finding is one fact, and what would help if something is wrong.
type Finding struct {
	Text string `json:"text"`
	Help string `json:"help,omitempty"`
}

// Placement is what would become of one more task now. Hosts of them were inspected,
// and Room of them have room for it.
type Placement struct {
	CapacityProvider string     `json:"capacityProvider,omitempty"`
	Hosts            int        `json:"hosts"`
	Room             int        `json:"room"`
	Rejected         []Rejected `json:"rejected,omitempty"`
	Nearest          *Nearest   `json:"nearest,omitempty"`
	// Refused says why no host was inspected, and Lacks what would be needed.
	Refused string    `json:"refused,omitempty"`
	Lacks   []Finding `json:"lacks,omitempty"`
}

// Rejected is how many hosts are refused for a reason.
type Rejected struct {
	Reason string `json:"reason"`
	Hosts  int    `json:"hosts"`
}

// Nearest is the host that comes closest, if none has room.
type Nearest struct {
	Instance string `json:"instance"` // ARN
	Reason   string `json:"reason"`
	Detail   string `json:"detail"`
	Help     string `json:"help,omitempty"`
	// Lacks are the needs that it does not meet, if there are several.
	Lacks []Finding `json:"lacks,omitempty"`
}

// Room inspects all hosts of a view for one task.
func Room(v placement.View, r placement.Request, arn func(instance string) string) Placement {
	res := placement.SurveyHosts(v, r)
	out := Placement{Hosts: len(v.IDs), Room: res.Room}
	for _, reason := range placement.Reasons() {
		if n := res.Rejected[reason]; n > 0 {
			out.Rejected = append(out.Rejected, Rejected{string(reason), n})
		}
	}
	if n := res.Nearest; res.Room == 0 && n.Instance != "" {
		out.Nearest = &Nearest{arn(n.Instance), string(n.Reason), n.Detail, n.Help, findings(n.Lacks)}
	}
	return out
}

// Obstacles returns the placement of a task that needs what no host of a cluster has.
func Obstacles(cluster string, lacks []placement.Lack) Placement {
	return Placement{Refused: "the task needs what it can't get in the cluster " + cluster + ".", Lacks: findings(lacks)}
}

func findings(lacks []placement.Lack) []Finding {
	var out []Finding
	for _, l := range lacks {
		out = append(out, Finding{l.What, l.Help})
	}
	return out
}

func (e *Explanation) addFinding(text, help string) {
	e.Findings = append(e.Findings, Finding{text, help})
}

// AddUnreadable adds the finding that a record of the resource can't be read.
func (e *Explanation) AddUnreadable(key, reason string) {
	e.addFinding(fmt.Sprintf("The stored record %s can't be read: %s. Nothing that needs it is done.", key, reason),
		"Mend the record in etcd, or delete it: what it belongs to goes on by itself then. The server's log names it in full.")
}

// PrependTo puts the findings of e, which may be nil, before those of other, and
// returns other.
func (e *Explanation) PrependTo(other *Explanation) *Explanation {
	if e != nil {
		other.Findings = append(e.Findings, other.Findings...)
	}
	return other
}

// Lines returns the explanation as a terminal shows it.
func (e *Explanation) Lines() []string {
	head := strings.ReplaceAll(e.Kind, "-", " ") + " " + e.ARN
	if e.Status != "" {
		head += ": " + e.Status
	}
	out := []string{head}
	under := func(indent, text, help string) {
		out = append(out, indent+text)
		if help != "" {
			out = append(out, indent+"  → "+help)
		}
	}
	add := func(text, help string) { under("  ", text, help) }
	for _, f := range e.Findings {
		add(f.Text, f.Help)
	}
	for i := range e.Placement {
		p := &e.Placement[i]
		what := "one more task now"
		if e.Kind == KindTaskDefinition {
			what = "a task of it now"
		}
		if p.CapacityProvider != "" {
			what += ", by the capacity provider " + p.CapacityProvider
		}
		switch {
		case p.Refused != "":
			add(what+": refused: "+p.Refused, "")
			for _, l := range p.Lacks {
				under("    ", l.Text, l.Help)
			}
			continue
		case p.Room > 0:
			add(fmt.Sprintf("%s: there is room on %d of %d container instances", what, p.Room, p.Hosts), "")
		default:
			add(fmt.Sprintf("%s: there is no room on any of %d container instances", what, p.Hosts), "")
		}
		for _, r := range p.Rejected {
			out = append(out, fmt.Sprintf("    %d refused: %s", r.Hosts, r.Reason))
		}
		if p.Nearest != nil {
			out = append(out, "    closest: "+p.Nearest.Instance)
			under("      ", p.Nearest.Detail, p.Nearest.Help)
			for _, l := range p.Nearest.Lacks {
				under("        ", l.Text, l.Help)
			}
		}
	}
	return out
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
