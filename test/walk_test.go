package test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestWalk runs the README's walk: by environment, by profile, and in a shell with
// variables that interfere.
func TestWalk(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.up("--no-sample")
	for _, w := range []struct {
		name, mode string
		env        []string
	}{
		{"env", "env", nil},
		{"profile", "profile", nil},
		{"in the way", "env", []string{
			"AWS_SESSION_TOKEN=stale", "AWS_PROFILE=missing", "AWS_DEFAULT_PROFILE=missing-too",
			"http_proxy=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9", "NO_PROXY=.corp.example",
			"AWS_ENDPOINT_URL_ECS=http://127.0.0.1:9",
		}},
	} {
		t.Run(w.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "bash", "walk.sh", w.mode)
			cmd.Env = append(append(i.env(), "HTTP_PORT="+webPort(t), "ASHORE_INSTALLATION="+i.admin().InstallationID), w.env...)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			begun := time.Now()
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v after %s\n%s", err, time.Since(begun), out.Bytes())
			}
			t.Logf("%s\n%s", time.Since(begun), out.Bytes())
		})
	}
}

// TestOperations calls every served operation with the stock command line.
func TestOperations(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.up("--no-sample")
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "operations.sh")
	cmd.Env = i.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// webPort returns 8080 if it is free.
func webPort(t *testing.T) string {
	if p := os.Getenv("HTTP_PORT"); p != "" {
		return p
	}
	if l, err := net.Listen("tcp", ":8080"); err == nil {
		l.Close()
		return "8080"
	}
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}
