package awsprofile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var ours = Profile{Name: "ashore", Installation: "4f4f", Region: "us-east-1", Endpoint: "http://127.0.0.1:4700",
	AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}

func TestWriteAndRemove(t *testing.T) {
	for _, c := range []struct{ name, before, after, removed string }{
		{"empty", "", "[profile ashore]\n# written by `ashore configure` (installation 4f4f); run it again to change this\nregion = us-east-1\nendpoint_url = http://127.0.0.1:4700\n", ""},
		{"others", "# mine\r\n[default]\r\nregion=eu-west-1\r\n",
			"# mine\r\n[default]\r\nregion=eu-west-1\r\n\n[profile ashore]\n# written by `ashore configure` (installation 4f4f); run it again to change this\nregion = us-east-1\nendpoint_url = http://127.0.0.1:4700\n",
			"# mine\r\n[default]\r\nregion=eu-west-1\r\n"},
		{"no newline at the end", "[default]\nregion=x",
			"[default]\nregion=x\n\n[profile ashore]\n# written by `ashore configure` (installation 4f4f); run it again to change this\nregion = us-east-1\nendpoint_url = http://127.0.0.1:4700\n",
			"[default]\nregion=x\n"},
		{"again, in the middle, with a person's line", "[profile ashore]\n# written by `ashore configure` (installation 0000); run it again to change this\nregion = eu-west-1\nendpoint_url = http://old\noutput = table\n\n[z]\n",
			"[profile ashore]\n# written by `ashore configure` (installation 4f4f); run it again to change this\nregion = us-east-1\nendpoint_url = http://127.0.0.1:4700\noutput = table\n\n[z]\n",
			"[profile ashore]\noutput = table\n\n[z]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Files{Config: filepath.Join(t.TempDir(), "deep", "config"), Credentials: filepath.Join(t.TempDir(), "credentials")}
			if c.before != "" {
				write(t, f.Config, c.before)
			}
			for range 2 { // the second write changes nothing
				if err := Write(f, ours); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.after, read(t, f.Config)); diff != "" {
					t.Errorf("config (-want +got):\n%s", diff)
				}
			}
			want := "[ashore]\n# written by `ashore configure` (installation 4f4f); run it again to change this\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n"
			if diff := cmp.Diff(want, read(t, f.Credentials)); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
			names, err := Remove(f, "other")
			if err != nil || len(names) != 0 || read(t, f.Config) != c.after {
				t.Errorf("another installation's removal took %v, %v", names, err)
			}
			if names, err = Find(f, ours.Installation); err != nil || len(names) != 1 {
				t.Errorf("found %v, %v", names, err)
			}
			if _, err = Remove(f, ours.Installation); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.removed, read(t, f.Config)); diff != "" {
				t.Errorf("config after removal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASectionThatIsNotOursStays(t *testing.T) {
	f := Files{Config: filepath.Join(t.TempDir(), "config"), Credentials: filepath.Join(t.TempDir(), "credentials")}
	write(t, f.Config, "[profile \"ashore\"]\nregion = mars\n")
	if err := Write(f, ours); err == nil || !strings.Contains(err.Error(), "[profile ashore] is there already") {
		t.Error(err)
	}
	if _, err := os.Stat(f.Credentials); err == nil {
		t.Error("the credentials were written although the profile was refused")
	}
	for _, name := range []string{"", "a b", "x]\n[y", "-x"} {
		p := ours
		p.Name = name
		if err := Write(f, p); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	p := ours
	p.Name = "default"
	if err := Write(f, p); err != nil || !strings.Contains(read(t, f.Config), "\n[default]\n# written") {
		t.Errorf("%v, %s", err, read(t, f.Config))
	}
}

func TestModesAndLinks(t *testing.T) {
	dir := t.TempDir()
	f := Files{Config: filepath.Join(dir, "link"), Credentials: filepath.Join(dir, "credentials")}
	write(t, filepath.Join(dir, "real"), "[default]\n")
	if err := os.Chmod(filepath.Join(dir, "real"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", f.Config); err != nil {
		t.Fatal(err)
	}
	if err := Write(f, ours); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(f.Config); err != nil || target != "real" {
		t.Errorf("the link is gone: %q, %v", target, err)
	}
	for path, want := range map[string]os.FileMode{filepath.Join(dir, "real"): 0o644, f.Credentials: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// In any file, adding and removing our section leaves every other line unchanged and in
// order.
func TestNoOtherLineChanges(t *testing.T) {
	line := rapid.SampledFrom([]string{"", "# note", "[default]", "[profile x]", "region = y", "endpoint_url = z", " indented = 1", "[broken", "s3 =\r", "aws_access_key_id = A"})
	rapid.Check(t, func(t *rapid.T) {
		before := strings.Join(rapid.SliceOfN(line, 0, 12).Draw(t, "lines"), "\n")
		after, err := writeSection([]byte(before), "profile ashore", "4f4f", []setting{{"region", "r"}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(after), before) {
			t.Fatalf("%q became %q", before, after)
		}
		removed, names := removeSections(after, "4f4f")
		if len(names) != 1 || strings.TrimRight(string(removed), "\n") != strings.TrimRight(before, "\n") {
			t.Fatalf("%q became %q, %v", before, removed, names)
		}
	})
}

func TestFilesOf(t *testing.T) {
	env := map[string]string{"AWS_CONFIG_FILE": "~/other/config"}
	got := FilesOf(func(k string) string { return env[k] }, "/home/me")
	if want := (Files{"/home/me/other/config", "/home/me/.aws/credentials"}); got != want {
		t.Errorf("got %v", got)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
