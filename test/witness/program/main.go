// Command program is the program of the witness image. At each start it appends its
// container's id (the host name that the engine sets) to /witness/starts. Then it waits
// for SIGTERM. With an argument it ends at once. If $WITNESS is set, it comes before
// the id, with a slash between them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := testify(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(os.Args) > 1 {
		os.Exit(3)
	}
	<-ctx.Done()
}

func testify() error {
	id, err := os.Hostname()
	if err != nil {
		return err
	}
	if of := os.Getenv("WITNESS"); of != "" {
		id = of + "/" + id
	}
	f, err := os.OpenFile("/witness/starts", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	// One short write with O_APPEND, so that lines of different containers don't mix.
	if _, err := f.WriteString(id + "\n"); err != nil {
		return err
	}
	return f.Close()
}
