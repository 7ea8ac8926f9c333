package awsprofile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ashore/ashore/internal/hint"
)

// Profile is the content of a profile.
type Profile struct {
	Name, Installation           string
	Region, Endpoint, CABundle   string
	AccessKeyID, SecretAccessKey string
}

// Files are the paths of the AWS tools' two files.
type Files struct{ Config, Credentials string }

// FilesOf finds the files in the same way as the AWS tools.
func FilesOf(getenv func(string) string, home string) Files {
	pick := func(variable, name string) string {
		path := getenv(variable)
		if path == "" {
			return filepath.Join(home, ".aws", name)
		}
		if path == "~" || strings.HasPrefix(path, "~/") {
			path = filepath.Join(home, path[1:])
		}
		return path
	}
	return Files{Config: pick("AWS_CONFIG_FILE", "config"), Credentials: pick("AWS_SHARED_CREDENTIALS_FILE", "credentials")}
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]*$`)

// Write adds the profile to both files, or updates the profile that an earlier Write
// added. It checks both files before it changes either.
func Write(f Files, p Profile) error {
	if !goodName.MatchString(p.Name) {
		return hint.With(fmt.Errorf("%q can't be a profile's name", p.Name), "letters, digits and . _ @ + - make one, such as --profile ashore")
	}
	configName := "profile " + p.Name
	if p.Name == "default" {
		configName = "default"
	}
	settings := []setting{{"region", p.Region}, {"endpoint_url", p.Endpoint}}
	if p.CABundle != "" {
		settings = append(settings, setting{"ca_bundle", p.CABundle})
	}
	config, err := edit(f.Config, configName, p.Installation, settings)
	if err != nil {
		return withNameHint(err, p.Name)
	}
	credentials, err := edit(f.Credentials, p.Name, p.Installation,
		[]setting{{"aws_access_key_id", p.AccessKeyID}, {"aws_secret_access_key", p.SecretAccessKey}})
	if err != nil {
		return withNameHint(err, p.Name)
	}
	if err := credentials.save(); err != nil {
		return err
	}
	return config.save()
}

func withNameHint(err error, name string) error {
	return hint.With(err, "choose another name, such as --profile %s-2, or remove that section", name)
}

// Remove removes the installation's profiles from both files and returns their names.
func Remove(f Files, installation string) (names []string, err error) {
	for _, path := range []string{f.Config, f.Credentials} {
		d, err := open(path)
		if err != nil {
			return names, err
		}
		after, removed := removeSections(d.before, installation)
		d.after = after
		if err := d.save(); err != nil {
			return names, err
		}
		if path == f.Config {
			names = removed
		}
	}
	return names, nil
}

// Find returns the names of the installation's profiles.
func Find(f Files, installation string) ([]string, error) {
	d, err := open(f.Config)
	if err != nil {
		return nil, err
	}
	_, names := removeSections(d.before, installation)
	return names, nil
}

// document is a file before and after a change.
type document struct {
	path          string
	mode          fs.FileMode
	before, after []byte
}

func open(path string) (*document, error) {
	// Replace the target of a link, and keep the link.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	d := &document{path: path, mode: 0o600}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	d.mode = info.Mode().Perm()
	d.before, err = os.ReadFile(path)
	return d, err
}

func edit(path, section, installation string, s []setting) (*document, error) {
	d, err := open(path)
	if err != nil {
		return nil, err
	}
	if d.after, err = writeSection(d.before, section, installation, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func (d *document) save() (err error) {
	if bytes.Equal(d.before, d.after) {
		return nil
	}
	dir := filepath.Dir(d.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".ashore-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(d.after)
	err = errors.Join(err, f.Chmod(d.mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), d.path)
}

// Read returns the settings of a section of a file by name.
func Read(path, name string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := split(content)
	from, to := findSection(lines, name)
	if from < 0 {
		return nil, fmt.Errorf("%s has no section [%s]", path, name)
	}
	settings := map[string]string{}
	for _, l := range lines[from+1 : to] {
		if k, v, ok := strings.Cut(l, "="); ok && !strings.HasPrefix(strings.TrimSpace(l), "#") {
			settings[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
	}
	return settings, nil
}
