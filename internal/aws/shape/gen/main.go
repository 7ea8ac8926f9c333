// Command gen writes the table of required members from the documentation
// comments of the SDK's source, as the module cache has it.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/ashore/ashore/internal/aws/shape/sdksource"
)

func main() {
	out := flag.String("o", "", "the file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	dir, err := sdksource.Dir()
	if err != nil {
		return err
	}
	table, err := sdksource.Required(dir)
	if err != nil {
		return err
	}
	text, err := table.Go()
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o644)
}
