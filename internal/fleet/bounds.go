package fleet

import "unicode/utf8"

// What a host may say. Where ECS has a quota or its agent keeps to one, it is
// that. What only describes is cut, so that no report that an agent may send is
// ever refused; what a registration asks for beyond them is refused.
const (
	MaxReason  = 1024 // characters of a reason, as the agent cuts it
	MaxRuntime = 255  // bytes of a container's id on its host, as the agent cuts it
	MaxDigest  = 255  // bytes of an image's digest, as the agent cuts it
	MaxVersion = 255  // bytes of a version of an agent, or of its engine

	// MaxCPU and MaxMemory, in units and MiB, are beyond every machine: 4,096 cores,
	// 64 TiB.
	MaxCPU    = 4096 * 1024
	MaxMemory = 64 << 20

	// MaxSinglePorts is how many bindings are kept beyond one for each mapping:
	// agents of old report a range port by port.
	MaxSinglePorts = 1000
)

// Clip cuts a text after so many characters.
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

// ClipBytes cuts a text after so many bytes, between two characters.
func ClipBytes(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	for bytes > 0 && !utf8.RuneStart(s[bytes]) {
		bytes--
	}
	return s[:bytes]
}
