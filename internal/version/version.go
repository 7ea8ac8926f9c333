// Package version says which build of Ashore this is.
package version

import (
	"regexp"
	"runtime"
	"runtime/debug"
)

// Number is set when a release is linked (-X …/internal/version.Number=v1.2.3).
var Number = "dev"

// release is the beginning of a release's number, with or without a v.
var release = regexp.MustCompile(`^v?([0-9]+\.[0-9]+\.[0-9]+)([-+].*)?$`)

// Semantic writes a build's number as ECS writes an agent's version: 1.2.3. One
// that is no release is 0.0.0 with its number behind it, older than each of them.
func Semantic(number string) string {
	if m := release.FindStringSubmatch(number); m != nil {
		return m[1] + m[2]
	}
	return "0.0.0-" + number
}

// String is the line that `ashore version` prints.
func String() string {
	s := "ashore " + Number + " " + runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version()
	if rev := revision(); rev != "" {
		s += " (" + rev + ")"
	}
	return s
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return ""
}
