package oracle

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/document"

	"github.com/ashore/ashore/internal/aws/model"
)

// A filler makes values with every field set, so that a lost field shows.
type filler struct {
	*rand.Rand
	n         int
	documents bool // also fill documents
}

func newFiller(t *testing.T) *filler {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return &filler{Rand: rand.New(rand.NewPCG(seed, 0))}
}

func (f *filler) fill(t *testing.T, v reflect.Value, depth int) {
	t.Helper()
	f.n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.UnixMilli(1 + f.Int64N(4e12)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d \"é\\\n<&%d", f.n, f.Int32()))
	case reflect.Bool: // never the zero, which the SDK drops
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1 + f.Int64N(1<<(v.Type().Bits()-1)-1))
		if v.Kind() == reflect.Int64 { // not beyond the precision of a float
			v.SetInt(1<<53 + 1 + f.Int64N(1<<60))
		}
	case reflect.Float32, reflect.Float64:
		v.SetFloat(f.NormFloat64() * 1e6)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, v.Elem(), depth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+f.IntN(2), 3))
		for i := range v.Len() {
			f.fill(t, v.Index(i), depth+1)
		}
	case reflect.Uint8:
		v.SetUint(f.Uint64N(256))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + f.IntN(3) {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(t, k, depth+1)
			f.fill(t, e, depth+1)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		s, err := model.Of(v.Type())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range s.Members {
			if depth <= 12 { // a deeper type is recursive
				f.fill(t, v.Field(m.Index), depth+1)
			}
		}
	case reflect.Interface:
		u := model.UnionOf(v.Type())
		if v.Type() == reflect.TypeFor[document.Interface]() {
			if f.documents {
				v.Set(reflect.ValueOf(document.NewLazyDocument(map[string]any{
					"s": "text", "n": f.Int64N(1 << 40), "f": 1.5, "b": true, "l": []any{"x", nil, int64(3)}, "m": map[string]any{"k": "v"},
				})))
			}
			return
		}
		if u == nil {
			t.Fatalf("%s: no union", v.Type())
		}
		m := u.Members[f.IntN(len(u.Members))]
		fresh := reflect.New(m.Type)
		f.fill(t, fresh.Elem().Field(m.Index), depth+1)
		v.Set(fresh)
	default:
		t.Fatalf("%s: the filler doesn't know it", v.Type())
	}
}
