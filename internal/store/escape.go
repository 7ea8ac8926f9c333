package store

import "strings"

// A record's names appear in two texts. One is the record's path, which is its key in
// etcd. There a name is escaped, so that a slash in it does not end the name. The other
// is the record's table key, which exists only in memory. There the names are not
// escaped, but separated by a byte that sorts before all others, so table keys sort by
// the first name, then by the second, and so on.
//
// Both encode a name byte by byte. So the code of a name's beginning is the beginning
// of the name's code, and a search by prefix works on both.

// maxNames is the highest number of names in a path.
const maxNames = 4

// Names are the names of a record in the order of its path. Names that its path does
// not have are "".
type Names [maxNames]string

const (
	upperHex  = "0123456789ABCDEF"
	noName    = "%" // represents the name "" in a path
	separator = "\x00"
	// In a table key, marker stands before a "\x00" or "\x01" that belongs to a name.
	marker = "\x01"
)

// staysAsIs says which bytes of a name stay unchanged in a path.
var staysAsIs = func() (is [256]bool) {
	for b := byte('!'); b <= '~'; b++ {
		is[b] = b != '/' && b != '%'
	}
	return is
}()

func stays(b byte) bool { return staysAsIs[b] }

// escape returns a name as a path contains it: printable ASCII without slashes.
func escape(name string) string {
	n := 0
	for i := range len(name) {
		if !stays(name[i]) {
			n++
		}
	}
	switch {
	case name == "":
		return noName
	case n == 0:
		return name
	}
	var b strings.Builder
	b.Grow(len(name) + 2*n)
	for i := range len(name) {
		if c := name[i]; stays(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// unescape returns the name that s represents in a path. ok is false if escape never
// writes s.
func unescape(s string) (name string, ok bool) {
	if s == noName {
		return "", true
	}
	if strings.IndexByte(s, '%') >= 0 {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				b.WriteByte(s[i])
				continue
			}
			if i+2 >= len(s) {
				return "", false
			}
			high, low := strings.IndexByte(upperHex, s[i+1]), strings.IndexByte(upperHex, s[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b.WriteByte(byte(high<<4 | low))
			i += 2
		}
		name = b.String()
	} else {
		name = s
	}
	return name, escape(name) == s
}

var mark = strings.NewReplacer("\x00", marker+"\x00", "\x01", marker+"\x01")

// inKey returns a name as a table key contains it.
func inKey(name string) string {
	if strings.IndexByte(name, 0) < 0 && strings.IndexByte(name, 1) < 0 {
		return name
	}
	return mark.Replace(name)
}

// tableKey joins names to a table key.
func tableKey(names ...string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return inKey(names[0])
	case 2:
		return inKey(names[0]) + separator + inKey(names[1])
	case 3:
		return inKey(names[0]) + separator + inKey(names[1]) + separator + inKey(names[2])
	}
	return inKey(names[0]) + separator + tableKey(names[1:]...)
}

// namesIn splits a table key of n names.
func namesIn(key string, n int) (names Names) {
	for i := range n {
		end := 0
		marked := false
		for end < len(key) && key[end] != separator[0] {
			if key[end] == marker[0] {
				marked = true
				end++
			}
			end++
		}
		names[i] = key[:end]
		if marked {
			names[i] = unmark(names[i])
		}
		key = key[min(end+1, len(key)):]
	}
	return names
}

func unmark(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == marker[0] {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
