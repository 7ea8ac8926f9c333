package ecs

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// validTags checks tags by the rules that the API reference gives for them.
func validTags(tags []types.Tag) error {
	if len(tags) > 50 {
		return invalid("tags: a resource can have at most 50 tags, not %d.", len(tags))
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		k, v := aws.ToString(t.Key), aws.ToString(t.Value)
		switch {
		case k == "" || len([]rune(k)) > 128:
			return invalid("tags: the key %q must have 1 to 128 characters.", k)
		case len([]rune(v)) > 256:
			return invalid("tags: the value of %q must have at most 256 characters.", k)
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return invalid("tags: the key %q begins with aws:, which is reserved.", k)
		case seen[k]:
			return invalid("tags: the key %q is given twice.", k)
		}
		seen[k] = true
	}
	return nil
}

// mergeTags joins tags, of which the later ones win.
func mergeTags(lists ...[]types.Tag) []types.Tag {
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
