package shellenv

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// AWSVersion returns the version of the `aws` on PATH. ok is false if there is none,
// which is no error.
func AWSVersion(ctx context.Context) (version string, ok bool, err error) {
	path, err := exec.LookPath("aws")
	if err != nil {
		return "", false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput() // version 1 on old Pythons prints it to stderr
	if err != nil {
		return "", false, fmt.Errorf("%s --version: %w", path, err)
	}
	m := awsVersion.FindSubmatch(out)
	if m == nil {
		return "", false, fmt.Errorf("%s --version printed %q", path, out)
	}
	return string(m[1]), true, nil
}

var awsVersion = regexp.MustCompile(`aws-cli/([0-9]+\.[0-9]+[0-9.]*)`)

// IgnoresEndpointURL says whether an `aws` of this version ignores AWS_ENDPOINT_URL and
// endpoint_url. Versions 1.29 and 2.13 introduced them.
func IgnoresEndpointURL(version string) bool {
	var major, minor int
	m := regexp.MustCompile(`^([0-9]+)\.([0-9]+)`).FindStringSubmatch(version)
	if m == nil {
		return false
	}
	major, _ = strconv.Atoi(m[1])
	minor, _ = strconv.Atoi(m[2])
	switch major {
	case 0:
		return true
	case 1:
		return minor < 29
	case 2:
		return minor < 13
	}
	return false
}
