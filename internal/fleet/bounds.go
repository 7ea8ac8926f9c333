package fleet

import "unicode/utf8"

// These bound what a host may send. They are ECS's quotas or the agent's own limits,
// where these exist. Texts that only describe are cut, so that no report of an agent is
// ever refused. A registration that asks for more is refused.
const (
	MaxReason  = 1024 // characters of a reason; the agent cuts it there
	MaxRuntime = 255  // bytes of a container's id on its host; the agent cuts it there
	MaxDigest  = 255  // bytes of an image's digest; the agent cuts it there
	MaxVersion = 255  // bytes of an agent's version, or of its engine's

	// MaxCPU and MaxMemory, in units and MiB, exceed every machine: 4,096 cores, 64
	// TiB.
	MaxCPU    = 4096 * 1024
	MaxMemory = 64 << 20

	// MaxSinglePorts is how many bindings are kept beyond one for each mapping. Old
	// agents report a range port by port.
	MaxSinglePorts = 1000
)

// Clip cuts a text to that many characters.
func Clip(s string, characters int) string {
	if len(s) <= characters {
		return s
	}
	n := 0
	for i := range s {
		if n == characters {
			return s[:i]
		}
		n++
	}
	return s
}

// ClipBytes cuts a text to at most that many bytes, between two characters.
func ClipBytes(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	for bytes > 0 && !utf8.RuneStart(s[bytes]) {
		bytes--
	}
	return s[:bytes]
}
