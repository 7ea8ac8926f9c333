// Package awsprofile adds a profile to the AWS tools' files. It changes only lines that
// it has written itself.
//
// A section of ours begins with a mark directly after its header:
//
//	[profile ashore]
//	# written by `ashore configure` (installation 4f…); run it again to change this
//	region = us-east-1
//
// It ends at the next section, or at the first line that we did not write. So a
// person's lines in it stay.
package awsprofile

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

const (
	markStart = "# written by `ashore configure` (installation "
	markEnd   = "); run it again to change this"
)

// setting is one line of a section.
type setting struct{ key, value string }

var header = regexp.MustCompile(`^\[\s*([^\]]*?)\s*\]`)

// findSection finds the lines [from, to) of the section. name is the text between the
// brackets. Both are -1 if there is no such section.
func findSection(lines []string, name string) (from, to int) {
	from, to = -1, -1
	for i, l := range lines {
		m := header.FindStringSubmatch(strings.TrimRight(l, "\r\n"))
		if m == nil {
			continue
		}
		if from >= 0 {
			return from, i
		}
		if unquote(m[1]) == name {
			from, to = i, len(lines)
		}
	}
	return from, to
}

// unquote returns the same text for `profile "x"`, `profile   x` and `profile x`.
func unquote(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(s)), " ")
}

// writeSection returns content with our section in it. It returns an error if a section
// with the name exists and is not ours.
func writeSection(content []byte, name, installation string, settings []setting) ([]byte, error) {
	lines := split(content)
	ours := []string{"[" + name + "]\n", markStart + installation + markEnd + "\n"}
	for _, s := range settings {
		ours = append(ours, s.key+" = "+s.value+"\n")
	}
	from, to := findSection(lines, name)
	if from < 0 {
		if n := len(lines); n > 0 {
			if !strings.HasSuffix(lines[n-1], "\n") {
				lines[n-1] += "\n"
			}
			if strings.TrimSpace(lines[n-1]) != "" {
				ours = append([]string{"\n"}, ours...)
			}
		}
		return join(append(lines, ours...)), nil
	}
	end, ok := ownSectionEnd(lines, from, to)
	if !ok {
		return nil, fmt.Errorf("the section [%s] is there already and is not ours", name)
	}
	out := append([]string{}, lines[:from]...)
	out = append(out, ours...)
	return join(append(out, lines[end:]...)), nil
}

// removeSections returns content without our sections of the installation, and their
// names.
func removeSections(content []byte, installation string) ([]byte, []string) {
	lines := split(content)
	var out, names []string
	for i := 0; i < len(lines); {
		m := header.FindStringSubmatch(strings.TrimRight(lines[i], "\r\n"))
		if m == nil || i+1 >= len(lines) || !strings.HasPrefix(lines[i+1], markStart+installation+")") {
			out = append(out, lines[i])
			i++
			continue
		}
		end, _ := ownSectionEnd(lines, i, len(lines))
		if end < len(lines) && header.FindString(lines[end]) == "" && strings.TrimSpace(lines[end]) != "" {
			// A person's lines follow in the section. Keep the header for them.
			out = append(out, lines[i])
		} else if n := len(out); n > 0 && strings.TrimSpace(out[n-1]) == "" {
			out = out[:n-1] // the empty line that writeSection wrote before it
		}
		names = append(names, unquote(m[1]))
		i = end
	}
	return join(out), names
}

// ownSectionEnd returns the end of our lines in the section that begins at from. ok is
// false if the section is not ours.
func ownSectionEnd(lines []string, from, to int) (end int, ok bool) {
	if from+1 >= to || !strings.HasPrefix(lines[from+1], markStart) {
		return from, false
	}
	for end = from + 2; end < to; end++ {
		key, _, found := strings.Cut(lines[end], " = ")
		if !found || !ourKeys[key] {
			break
		}
	}
	return end, true
}

var ourKeys = map[string]bool{"region": true, "endpoint_url": true, "ca_bundle": true,
	"aws_access_key_id": true, "aws_secret_access_key": true}

func split(content []byte) []string {
	if len(content) == 0 {
		return nil
	}
	lines := strings.SplitAfter(string(content), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func join(lines []string) []byte {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l)
	}
	return b.Bytes()
}
