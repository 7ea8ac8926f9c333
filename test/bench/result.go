package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// result is a line of the table: a figure of Ashore, with the lower limit or the budget
// to compare it with.
type result struct {
	What   string  `json:"what"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"`
	Floor  float64 `json:"floor,omitempty"`  // the peer's figure in the same run
	Peer   string  `json:"peer,omitempty"`   // what the floor is
	Budget string  `json:"budget,omitempty"` // the project's budget, as text
	Met    *bool   `json:"met,omitempty"`
}

// report has the results of one run.
type report struct {
	Machine machine  `json:"machine"`
	Results []result `json:"results"`
}

func (r *report) add(x result) { r.Results = append(r.Results, x) }

func met(b bool) *bool { return &b }

func (r *report) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "WHAT\tASHORE\tFLOOR\tUNIT\tBUDGET\tMET")
	for _, x := range r.Results {
		floor := "-"
		if x.Peer != "" {
			floor = fmt.Sprintf("%.4g (%s)", x.Floor, x.Peer)
		}
		ok := ""
		if x.Met != nil {
			ok = map[bool]string{true: "yes", false: "NO"}[*x.Met]
		}
		fmt.Fprintf(t, "%s\t%.4g\t%s\t%s\t%s\t%s\n", x.What, x.Value, floor, x.Unit, x.Budget, ok)
	}
	return t.Flush()
}

func (r *report) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
