package ecs

import (
	"github.com/ashore/ashore/internal/api/pagetoken"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// page is the position of a listing: the key after which it continues, and how many
// items it returns. Its token is opaque to callers and is valid only for one
// operation with one set of filters.
type page struct {
	after string
	limit int
	scope pagetoken.Scope
}

// parsePage parses maxResults (1 to 100) and nextToken. filters are the operation and
// everything that selects what is listed.
func parsePage(maxResults *int32, nextToken *string, filters ...string) (page, error) {
	p := page{limit: 100, scope: pagetoken.For(filters...)}
	if maxResults != nil {
		if *maxResults < 1 || *maxResults > 100 {
			return page{}, refuse.Invalid("maxResults must be between 1 and 100, not %d.", *maxResults)
		}
		p.limit = int(*maxResults)
	}
	if nextToken == nil || *nextToken == "" {
		return p, nil
	}
	after, err := p.scope.Read(*nextToken)
	if err != nil {
		return page{}, refuse.Invalid("Invalid token: nextToken is not one that this operation gave for these parameters.")
	}
	p.after = after
	return p, nil
}

// tokenAfter returns the token that continues after key.
func (p page) tokenAfter(key string) *string {
	return aws.String(p.scope.Token(key))
}

// collector collects items up to the page's limit. next is the token of the next
// page; it is nil at the end.
type collector struct {
	page
	items []string
	last  string
	next  *string
}

func (p page) newCollector() *collector { return &collector{page: p, items: []string{}} }

// add adds an item with its key. It returns false if the page is full; the item is
// left out then.
func (t *collector) add(key, item string) bool {
	if len(t.items) == t.limit {
		t.next = t.tokenAfter(t.last)
		return false
	}
	t.items, t.last = append(t.items, item), key
	return true
}
