package awsjson

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
)

// A plan encodes and decodes one Go type. Plans of recursive types refer to each other,
// so enc and dec are only called when a whole plan is built.
type plan struct {
	name string // for messages: "a List"
	size int    // memory of one value
	enc  func(dst []byte, v reflect.Value, depth int) ([]byte, error)
	// dec is never called for null.
	dec func(d *decoder, v reflect.Value, depth int) error
	// absent says whether a member with this value is left out. nil means never.
	absent func(v reflect.Value) bool
}

var (
	plans   sync.Map // reflect.Type -> *plan
	planMu  sync.Mutex
	timeT   = reflect.TypeFor[time.Time]()
	stringT = reflect.TypeFor[string]()
)

func planOf(t reflect.Type) (*plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*plan), nil
	}
	planMu.Lock()
	defer planMu.Unlock()
	b := builder{}
	p, err := b.plan(t)
	if err != nil {
		return nil, fmt.Errorf("awsjson: %s: %w", t, err)
	}
	for t, p := range b {
		plans.Store(t, p)
	}
	return p, nil
}

// A builder has the plans of one planOf until all of them are complete.
type builder map[reflect.Type]*plan

func (b builder) plan(t reflect.Type) (*plan, error) {
	if p, ok := b[t]; ok {
		return p, nil
	}
	if p, ok := plans.Load(t); ok {
		return p.(*plan), nil
	}
	p := &plan{size: int(t.Size())}
	b[t] = p // set before its members, which may refer to it
	var err error
	switch k := t.Kind(); {
	case t == timeT:
		planTime(p)
	case k == reflect.Interface:
		err = b.planInterface(p, t)
	case k == reflect.Struct:
		err = b.planStruct(p, t)
	case k == reflect.Pointer:
		err = b.planPointer(p, t)
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		planBlob(p)
	case k == reflect.Slice:
		err = b.planSlice(p, t)
	case k == reflect.Map:
		err = b.planMap(p, t)
	case k == reflect.String:
		planString(p, t)
	case k == reflect.Bool:
		planBool(p)
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		planInt(p)
	case k == reflect.Float32, k == reflect.Float64:
		planFloat(p)
	default:
		err = fmt.Errorf("%s has no form in AWS JSON", t)
	}
	return p, err
}

type field struct {
	index int // in the Go struct
	order int // among the members
	name  string
	key   string // `"name":` as written in the document
	plan  *plan
}

// fields returns the members of a struct in their Go order.
func (b builder) fields(t reflect.Type) ([]field, error) {
	st, err := model.Of(t)
	if err != nil {
		return nil, err
	}
	fields := make([]field, len(st.Members))
	for i, m := range st.Members {
		f := t.Field(m.Index)
		p, err := b.plan(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		fields[i] = field{index: m.Index, order: i, name: m.Name, key: string(appendString(nil, m.Name)) + ":", plan: p}
	}
	return fields, nil
}
