package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/agent"
)

// TestMain ends processes that a test must not start: commands start their own binary
// again, which is the test binary here.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "server" || os.Args[1] == "agent") {
		os.Exit(exitFailed)
	}
	os.Exit(m.Run())
}

// recorder is a program that writes its name and arguments to the file $SAID.
const recorder = "#!/bin/sh\n{ printf '%s' \"${0##*/}\"; for a; do printf '|%s' \"$a\"; done; echo; } >>\"$SAID\"\n"

// A shell parses the commands that `up` prints correctly, whatever the folders are
// called.
func TestPrintedCommandsAreQuoted(t *testing.T) {
	for _, odd := range []string{"plain", "two words", "it's", "$(touch pwned)", "`touch pwned`", "a;touch pwned;", `back\slash`, "-x", "*", "~", "ü"} {
		t.Run(odd, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), odd)
			work := t.TempDir()
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			self := filepath.Join(dir, "ashore")
			for _, p := range []string{self, filepath.Join(work, "aws")} {
				if err := os.WriteFile(p, []byte(recorder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("ASHORE_DATA_DIR", "")
			t.Setenv("PATH", work+":/usr/bin:/bin")
			var out strings.Builder
			r := &upRun{upCommand: &upCommand{dataDir: dataDir{DataDir: dir}}, terminal: &terminal{out: &out, err: &out}, self: self,
				host: agent.State{Cluster: odd, InstanceArn: "arn:aws:ecs:us-east-1:000000000000:container-instance/c/0123"}}
			r.printNext()
			_, commands, _ := strings.Cut(out.String(), "next:\n")
			said := filepath.Join(work, "said")
			cmd := exec.CommandContext(t.Context(), "sh", "-c", commands)
			cmd.Dir, cmd.Env = work, append(os.Environ(), "SAID="+said)
			if b, err := cmd.CombinedOutput(); err != nil || len(b) > 0 {
				t.Fatalf("%v: %s\n%s", err, b, commands)
			}
			b, err := os.ReadFile(said)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{
				"ashore|env|--data-dir|" + dir,
				"aws|ecs|list-tasks|--cluster|" + odd,
				"aws|ecs|describe-container-instances|--cluster|" + odd + "|--container-instances|0123",
				"ashore|down|--data-dir|" + dir,
			}
			if got := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"); !slices.Equal(got, want) {
				t.Errorf("ran %q, not %q\nby %s", got, want, commands)
			}
			if _, err := os.Stat(filepath.Join(work, "pwned")); err == nil {
				t.Error("the folder's name was carried out")
			}
		})
	}
}

// Values that would be stored for ever are refused before anything is created.
func TestUpRefusesWhatWouldStay(t *testing.T) {
	for _, args := range [][]string{
		{"--account", "abc"}, {"--account", "12345678901"}, {"--account", "1234567890123"}, {"--account", "12345678901x"},
		{"--region", "US East"}, {"--region", "us/east"}, {"--served-as", "https://x"}, {"--keep-stopped", "-1h"}, {"--keep-stopped-tasks", "-1"},
	} {
		for _, command := range []string{"up", "server"} {
			dir := filepath.Join(t.TempDir(), "data")
			status, out, errs := ashore(t, nil, append([]string{command, "--data-dir", dir}, args...)...)
			if status == 0 || !strings.Contains(errs, args[0]) {
				t.Errorf("%s %s: %d %s%s", command, args, status, out, errs)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%s %s: something was made", command, args)
			}
		}
	}
	_, _, errs := ashore(t, nil, "up", "--data-dir", filepath.Join(t.TempDir(), "data"), "--account", "abc")
	if want := fmt.Sprintf("error: --account: the account must have 12 digits, not be %q\nhint: such as --account 123456789012, or leave it out\n", "abc"); errs != want {
		t.Errorf("said %q", errs)
	}
}
