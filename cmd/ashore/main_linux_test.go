package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/ashore/ashore/internal/local"
)

// ashore runs a command line as main does.
func ashore(t *testing.T, environ []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	status = run(t.Context(), args, &terminal{out: &out, err: &errs, environ: environ})
	return status, out.String(), errs.String()
}

// example creates an installation on disk that never ran.
func example(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_CONFIG_FILE", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "")
	l, err := local.NewLayout(local.Env{Root: true, Getenv: os.Getenv}, dir)
	if err != nil {
		t.Fatal(err)
	}
	err = local.Admin{InstallationID: strings.Repeat("4f", 16), Account: "000000000000", Region: "eu-west-1",
		Endpoint: "http://127.0.0.1:4700", AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "it's/secret"}.Write(l)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var c commands
	parser, err := kong.New(&c, kong.Name("ashore"))
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		path := strings.Fields(strings.TrimPrefix(leaf.FullPath(), "ashore "))
		status, out, errs := ashore(t, nil, append(path, "--help")...)
		if status != 0 || errs != "" || !strings.HasPrefix(out, "Usage: ashore "+strings.Join(path, " ")) {
			t.Errorf("%v: status %d, %s%s", path, status, out, errs)
		}
		_, after, ok := strings.Cut(out, "\nExample:\n  ")
		if !ok || !strings.Contains(after, "ashore "+strings.Join(path, " ")) {
			t.Errorf("%v: no example that shows it:\n%s", path, out)
		}
	}
	if status, out, _ := ashore(t, nil); status != 0 || !strings.Contains(out, "up ") || strings.Contains(out, "sample  ") {
		t.Errorf("the bare command: %d\n%s", status, out)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"frobnicate", 2, "error: unexpected argument frobnicate\nhint: see `ashore --help`\n"},
		{"env --shell csh", 2, "hint: see `ashore env --help`\n"},
		{"host move", 2, "error: missing flags: --cluster=NAME\nhint: see `ashore host move --help`\n"},
		{"env --data-dir " + empty, 1, "error: there is no installation in " + empty + "\nhint: start one by `ashore up --detach`"},
		{"configure --data-dir " + empty, 1, "error: there is no installation in " + empty},
		{"server --listen 0.0.0.0:4700 --data-dir " + empty, 1, "reachable from other machines, and there is no TLS yet\nhint: listen on a loopback address"},
		{"server --listen 4700 --data-dir " + empty, 1, "hint: write it as address and port"},
		{"host move --cluster c --data-dir " + empty, 1, "hint: start one by `ashore up"},
	} {
		status, _, errs := ashore(t, nil, strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, %q; want %d, %q", c.args, status, errs, c.status, c.want)
		}
	}
	if _, err := os.Stat(empty); err == nil {
		t.Error("a refused command made the data folder")
	}
	if status, out, _ := ashore(t, nil, "down", "--data-dir", empty); status != 0 || !strings.HasPrefix(out, "nothing runs") {
		t.Errorf("down of nothing: %d, %q", status, out)
	}
}

func TestEnvPrintsTheInstallation(t *testing.T) {
	dir := example(t)
	status, out, errs := ashore(t, []string{"no_proxy=a"}, "env", "--data-dir", dir)
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %q", status, errs)
	}
	for _, want := range []string{"export AWS_ENDPOINT_URL='http://127.0.0.1:4700'\n", "export AWS_REGION='eu-west-1'\n",
		`export AWS_SECRET_ACCESS_KEY='it'\''s/secret'` + "\n", "export no_proxy='a,127.0.0.1'\n", "unset AWS_PROFILE "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestConfigureSaysHowToUseIt(t *testing.T) {
	dir := example(t)
	status, out, errs := ashore(t, []string{"http_proxy=http://proxy"}, "configure", "--data-dir", dir, "--profile", "mine")
	if status != 0 || !strings.Contains(out, "aws --profile mine ") || !strings.Contains(errs, "http_proxy is set") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	b, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), ".aws", "config"))
	if err != nil || !strings.Contains(string(b), "[profile mine]\n") || !strings.Contains(string(b), "endpoint_url = http://127.0.0.1:4700\n") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestVersionAndSample(t *testing.T) {
	if status, out, _ := ashore(t, nil, "version"); status != 0 || !strings.HasPrefix(out, "ashore ") {
		t.Errorf("%d, %q", status, out)
	}
	if status, _, _ := ashore(t, nil, "sample", "exit", "7"); status != 7 {
		t.Errorf("sample exit 7 gave %d", status)
	}
}
