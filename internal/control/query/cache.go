package query

import "sync"

// cacheSize is how many compiled expressions are cached. A full cache is emptied.
const cacheSize = 1000

var cache struct {
	sync.Mutex
	exprs map[string]*Expr
}

// ParseCached is Parse with a cache, for expressions that are used again and again.
func ParseCached(s string) (*Expr, error) {
	cache.Lock()
	e := cache.exprs[s]
	cache.Unlock()
	if e != nil {
		return e, nil
	}
	e, err := Parse(s)
	if err != nil {
		return nil, err
	}
	cache.Lock()
	defer cache.Unlock()
	if cache.exprs == nil || len(cache.exprs) >= cacheSize {
		cache.exprs = map[string]*Expr{}
	}
	cache.exprs[s] = e
	return e, nil
}
