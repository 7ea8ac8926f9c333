// Package version says which build of Ashore this is.
package version

import (
	"runtime"
	"runtime/debug"
)

// Number is set when a release is linked (-X …/internal/version.Number=v1.2.3).
var Number = "dev"

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
