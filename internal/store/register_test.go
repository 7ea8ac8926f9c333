package store

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A registration that would make a record impossible to find, or ambiguous, ends the
// program.
func TestRegisterRefuses(t *testing.T) {
	type record struct {
		Name string `json:"name"`
	}
	for path, says := range map[string]string{
		"a/*/b/*":         "",
		"a/*":             "may be of a/*",
		"*/b":             "no path",
		"a/x":             "may be of a/*",
		"a/b/c/*":         "",
		"":                "no path",
		"a//b":            "no path",
		"a/b*":            "no path",
		"a/b c":           "no path",
		"head":            "no path",
		"a/*/*/*/*/*":     "at most 4 names",
		"a/*/b/*/c/*/d/*": "",
	} {
		r := registry{}
		err := refusal(func() {
			if strings.Contains(says, "may be of") {
				r.add(newKindIn[record]("a/*"))
			}
			r.add(newKindIn[record](path))
		})
		if (says == "") != (err == "") || !strings.Contains(err, says) {
			t.Errorf("%q: %q", path, err)
		}
	}
	r := registry{}
	r.add(newKindIn[record]("a/*"))
	r.close()
	if err := refusal(func() { r.add(newKindIn[record]("b/*")) }); !strings.Contains(err, "after a store was opened") {
		t.Errorf("too late: %q", err)
	}
	type strange struct {
		Networks []map[string]*types.NetworkInterface
	}
	r = registry{}
	r.add(newKindIn[strange]("a/*"))
	if err := refusal(r.close); !strings.Contains(err, "store.Wire[types.NetworkInterface]()") {
		t.Errorf("a type of the SDK's that the codec does not know: %q", err)
	}
}

// What is unique is named in a path, and the hot tables have none of it.
func TestUniqueRefuses(t *testing.T) {
	for _, name := range []string{"", "a/b", "a.b", "*", "a b"} {
		if err := refusal(func() { clusters.Unique(name, nil) }); !strings.Contains(err, "is no name") {
			t.Errorf("%q: %q", name, err)
		}
	}
	if err := refusal(func() { instances.Unique("name", nil) }); !strings.Contains(err, "tables of its own") {
		t.Errorf("own tables: %q", err)
	}
}

func newKindIn[V any](path string) *kind {
	k := newKind[V](path)
	k.hidden = newShelfHolder(k, new([]finder))
	return k
}

func refusal(f func()) (says string) {
	defer func() {
		if v := recover(); v != nil {
			says = v.(string)
		}
	}()
	f()
	return ""
}
