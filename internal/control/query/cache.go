package query

import "sync"

// cacheSize bounds the expressions kept compiled: those of the definitions in
// use. When full it starts anew.
const cacheSize = 1000

var cache struct {
	sync.Mutex
	exprs map[string]*Expr
}

// Compiled is Parse for expressions that are used again and again.
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
