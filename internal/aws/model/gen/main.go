// Command gen writes the model of a service from the sources of its SDK module:
//
//	go run ./internal/aws/model/gen -service iam -o internal/aws/model/iam/model_gen.go
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	service := flag.String("service", "", "the `name` of the SDK's module below service/")
	out := flag.String("o", "model_gen.go", "the `file` to write")
	flag.Parse()
	if err := run(*service, *out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(service, out string) error {
	src, err := Read(service)
	if err != nil {
		return err
	}
	code, err := src.Go()
	if err != nil {
		return err
	}
	return os.WriteFile(out, code, 0o644)
}
