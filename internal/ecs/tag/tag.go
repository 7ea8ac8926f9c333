// Package tag checks and joins the tags of ECS's resources.
package tag

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Max is how many tags users can give a resource. Tags that ECS sets itself do not
// count.
const Max = 50

// tagText are the characters of keys and values: the model's TagKey and TagValue.
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// Check checks the tags of a request by the rules of the API reference.
func Check(tags []types.Tag) error {
	if len(tags) > Max {
		return refuse.Invalid("tags: a resource can have at most %d tags, not %d.", Max, len(tags))
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		k, v := aws.ToString(t.Key), aws.ToString(t.Value)
		if err := CheckKey("tags", k); err != nil {
			return err
		}
		switch {
		case utf8.RuneCountInString(v) > 256:
			return refuse.Invalid("tags: the value of %q must have at most 256 characters.", k)
		case !tagText.MatchString(v):
			return refuse.Invalid("tags: the value %q of %q has a character that is not allowed: letters, numbers, spaces and _ . : / = + - @ are.", v, k)
		case isReserved(v):
			return refuse.Invalid("tags: the value %q of %q begins with aws:, which is reserved.", v, k)
		case seen[k]:
			return refuse.Invalid("tags: the key %q is given twice.", k)
		}
		if err := fleet.CheckSetting(k, v); err != nil {
			return refuse.Invalid("tags: %s.", err)
		}
		seen[k] = true
	}
	return nil
}

// CheckKey checks a key in a member of the request.
func CheckKey(field, k string) error {
	switch n := utf8.RuneCountInString(k); {
	case n < 1 || n > 128:
		return refuse.Invalid("%s: the key %q must have 1 to 128 characters.", field, k)
	case !tagText.MatchString(k):
		return refuse.Invalid("%s: the key %q has a character that is not allowed: letters, numbers, spaces and _ . : / = + - @ are.", field, k)
	case isReserved(k):
		return refuse.Invalid("%s: the key %q begins with aws:, which is reserved.", field, k)
	}
	return nil
}

// isReserved reports whether a tag's key or value is reserved for ECS.
func isReserved(s string) bool { return len(s) >= 4 && strings.EqualFold(s[:4], "aws:") }

// CountOwn counts the tags that count towards Max.
func CountOwn(tags []types.Tag) int {
	n := 0
	for _, t := range tags {
		if !isReserved(aws.ToString(t.Key)) {
			n++
		}
	}
	return n
}

// Merge joins lists of tags. A later tag replaces an earlier one with the same key.
func Merge(lists ...[]types.Tag) []types.Tag {
	var out []types.Tag
	at := map[string]int{}
	for _, list := range lists {
		for _, t := range list {
			k := aws.ToString(t.Key)
			if i, had := at[k]; had {
				out[i] = t
				continue
			}
			at[k] = len(out)
			out = append(out, t)
		}
	}
	return out
}
