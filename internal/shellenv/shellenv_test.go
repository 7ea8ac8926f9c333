package shellenv

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata")

var target = Target{
	Endpoint: "http://127.0.0.1:4700", Host: "127.0.0.1", Region: "us-east-1",
	AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "example/secret+key",
}

func TestGolden(t *testing.T) {
	oldAWS, ca := target, target
	oldAWS.OldAWS = true
	ca.Endpoint, ca.Host, ca.CABundle = "https://ashore.example:4700", "ashore.example", "/etc/ashore/ca.pem"
	for _, c := range []struct {
		name    string
		target  Target
		environ []string
	}{
		{"plain", target, []string{"HOME=/home/me"}},
		{"old-aws", oldAWS, nil},
		{"private-ca", ca, []string{"NO_PROXY=localhost, .corp", "AWS_CA_BUNDLE=/old.pem",
			"AWS_ENDPOINT_URL_ECS=http://elsewhere", "AWS_PROFILE=work"}},
	} {
		for dialect, d := range Dialects {
			got := Apply(d, c.target, c.environ)
			back, err := Revert(d, append(slices.Clone(c.environ), exported(got)...))
			if err != nil {
				t.Fatal(err)
			}
			text := got + "\n# --unset\n" + back
			file := filepath.Join("testdata", c.name+"."+dialect)
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
	}
}

// exported returns the variables in Apply's text that Revert needs, in any dialect.
func exported(text string) (environ []string) {
	for line := range strings.Lines(text) {
		for _, name := range []string{savedVariable, functionVariable} {
			if _, after, ok := strings.Cut(line, name); ok {
				environ = append(environ, name+"="+strings.Trim(after, " ='\n"))
			}
		}
	}
	return environ
}

// nasty are values that break careless quoting.
var nasty = []string{"", " ", "a b", "it's", `"`, `\`, `\\'`, "$HOME", "`id`", "$(id)", "!x", "*", "~", "a\nb", "\t", "é’‘", "-n", "#x", ";id", "%s", "a=b", "\x7f"}

func shells(t *testing.T) []string {
	all := []string{"sh", "dash", "bash"}
	for _, s := range all {
		if _, err := exec.LookPath(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{"zsh", "ksh"} { // test these, too, if they are installed
		if _, err := exec.LookPath(s); err == nil {
			all = append(all, s)
		}
	}
	return all
}

func evalIn(t *testing.T, shell, script string, environ []string) string {
	t.Helper()
	cmd := exec.Command(shell, "-c", script)
	cmd.Env = environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\nscript:\n%s", shell, err, out, script)
	}
	return string(out)
}

// environment prints all exported variables of a shell, NUL-separated.
const environment = "env -0"

func environOf(out string) map[string]string {
	m := parse(strings.Split(out, "\x00"))
	delete(m, "_")
	delete(m, "SHLVL")
	delete(m, "PWD")
	delete(m, "OLDPWD")
	return m
}

func TestRealShellsTakeAnyValueAndPutAllBack(t *testing.T) {
	for _, shell := range shells(t) {
		for i, v := range nasty {
			base := []string{"PATH=" + os.Getenv("PATH"), "HOME=/nowhere"}
			before := slices.Concat(base, []string{"AWS_PROFILE=" + v, "AWS_SESSION_TOKEN=stale", "NO_PROXY=a.example",
				"AWS_REGION=" + v, "AWS_ENDPOINT_URL_ECS=http://elsewhere", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"})
			tt := target
			tt.SecretAccessKey, tt.CABundle = v, v
			apply := Apply(posix{}, tt, before)
			got := environOf(evalIn(t, shell, "set -eu\n"+evalText(apply)+environment, before))
			want := map[string]string{
				"PATH": os.Getenv("PATH"), "HOME": "/nowhere",
				"AWS_ENDPOINT_URL": tt.Endpoint, "AWS_ACCESS_KEY_ID": tt.AccessKeyID, "AWS_SECRET_ACCESS_KEY": v,
				"AWS_REGION": tt.Region, "AWS_DEFAULT_REGION": tt.Region,
				"NO_PROXY": "a.example,127.0.0.1", "no_proxy": "a.example,127.0.0.1", savedVariable: got[savedVariable],
			}
			if v != "" {
				want["AWS_CA_BUNDLE"] = v
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, value %d %q (-want +got):\n%s", shell, i, v, diff)
			}
			var environ []string
			for k, v := range got {
				environ = append(environ, k+"="+v)
			}
			// Again for another installation: the first values stay saved.
			again := Apply(posix{}, target, environ)
			revert, err := Revert(posix{}, environ)
			if err != nil {
				t.Fatal(err)
			}
			reverted := environOf(evalIn(t, shell, "set -eu\n"+evalText(apply)+evalText(again)+evalText(revert)+environment, before))
			if diff := cmp.Diff(environOf(strings.Join(before, "\x00")), reverted); diff != "" {
				t.Errorf("%s, value %d %q after --unset (-want +got):\n%s", shell, i, v, diff)
			}
		}
	}
}

// evalText returns commands as people run them: by a command substitution and eval.
func evalText(commands string) string {
	return "eval \"$(cat <<'END-OF-COMMANDS'\n" + commands + "END-OF-COMMANDS\n)\"\n"
}

func TestFunctionForAnOldAWS(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\nprintf '[%s]' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	environ := []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	tt := target
	tt.OldAWS = true
	apply := Apply(posix{}, tt, environ)
	revert, err := Revert(posix{}, append(environ, exported(apply)...))
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range shells(t) {
		got := evalIn(t, shell, "set -eu\n"+evalText(apply)+`aws ecs run-task --x "a b" ''
echo; AWS_ENDPOINT_URL=; aws s3
echo; `+evalText(revert)+"aws ecs", environ)
		want := "[--endpoint-url=http://127.0.0.1:4700][ecs][run-task][--x][a b][]\n[s3]\n[ecs]"
		if got != want {
			t.Errorf("%s: got %q, want %q", shell, got, want)
		}
	}
}

func TestRevertWithoutApplyIsHarmless(t *testing.T) {
	text, err := Revert(posix{}, []string{"AWS_PROFILE=mine"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "AWS_") {
		t.Errorf("it touches what it did not set: %s", text)
	}
	if _, err := Revert(posix{}, []string{savedVariable + "=?"}); err == nil {
		t.Error("a damaged memory is taken")
	}
}

func TestNoProxy(t *testing.T) {
	for _, c := range []struct{ upper, lower, wantUpper, wantLower string }{
		{"", "", "h", "h"},
		{"a", "", "a,h", "a,h"},
		{"", "b", "b,h", "b,h"},
		{"a", "b", "a,h", "b,h"},
		{"a, h ,b", "", "a, h ,b", "a, h ,b"},
		{"a,", "", "a,h", "a,h"},
	} {
		var environ []string
		if c.upper != "" {
			environ = append(environ, "NO_PROXY="+c.upper)
		}
		if c.lower != "" {
			environ = append(environ, "no_proxy="+c.lower)
		}
		tt := target
		tt.Host = "h"
		got := Apply(posix{}, tt, environ)
		for _, want := range []string{"export NO_PROXY='" + c.wantUpper + "'\n", "export no_proxy='" + c.wantLower + "'\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("%v: no %q in\n%s", environ, want, got)
			}
		}
	}
}

func TestOldVersions(t *testing.T) {
	for v, want := range map[string]bool{"2.9.19": true, "2.12.7": true, "2.13.0": false, "2.31.1": false,
		"1.28.85": true, "1.29.0": false, "1.45.11": false, "0.9": true, "3.0": false} {
		if IgnoresEndpointURL(v) != want {
			t.Errorf("Old(%s) is %v", v, !want)
		}
	}
	for out, want := range map[string]string{
		"aws-cli/2.9.19 Python/3.11.2 Linux/6.1 source/x86_64.debian.12": "2.9.19",
		"aws-cli/1.45.11 Python/3.11.7 Linux/6.18 botocore/1.43.11":      "1.45.11",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "aws"), fmt.Appendf(nil, "#!/bin/sh\necho '%s'\n", out), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+":/usr/bin:/bin")
		if v, ok, err := AWSVersion(t.Context()); v != want || !ok || err != nil {
			t.Errorf("%q: %q, %v, %v", out, v, ok, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, ok, err := AWSVersion(t.Context()); ok || err != nil {
		t.Errorf("no aws at all: %v, %v", ok, err)
	}
}

func TestProxyInTheWay(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    string
	}{
		{nil, ""},
		{[]string{"http_proxy=http://p"}, "http_proxy"},
		{[]string{"HTTP_PROXY=http://p"}, "HTTP_PROXY"},
		{[]string{"https_proxy=http://p"}, ""},
		{[]string{"http_proxy=http://p", "no_proxy=a, h"}, ""},
		{[]string{"http_proxy=http://p", "NO_PROXY=*"}, ""},
	} {
		if got, _ := BlockingProxy(c.environ, "http", "h"); got != c.want {
			t.Errorf("%v: %q, want %q", c.environ, got, c.want)
		}
	}
}
