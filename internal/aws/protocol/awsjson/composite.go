package awsjson

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	smithydocument "github.com/aws/smithy-go/document"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

func isNil(v reflect.Value) bool { return v.IsNil() }

var errTooDeep = errors.New("nested too deep, or in a cycle")

func (b builder) planPointer(p *plan, t reflect.Type) error {
	elem, err := b.plan(t.Elem())
	if err != nil {
		return err
	}
	p.name, p.absent = elem.name, isNil
	if elem.name == "" { // the plan of this struct is not complete yet
		p.name = "a Structure"
	}
	p.enc = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return elem.enc(dst, v.Elem(), depth)
	}
	p.dec = func(d *decoder, v reflect.Value, depth int) error {
		if err := d.budget.Spend(elem.size); err != nil {
			return err
		}
		fresh := reflect.New(t.Elem())
		if err := elem.dec(d, fresh.Elem(), depth); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	}
	return nil
}

func (b builder) planStruct(p *plan, t reflect.Type) error {
	p.name = "a Structure"
	fields, err := b.fields(t)
	if err != nil {
		return err
	}
	byName := make(map[string]*field, len(fields))
	for i := range fields {
		byName[fields[i].name] = &fields[i]
	}
	p.enc = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if depth >= protocol.MaxDepth {
			return nil, errTooDeep
		}
		dst = append(dst, '{')
		first := true
		for i := range fields {
			f := &fields[i]
			fv := v.Field(f.index)
			if f.plan.absent != nil && f.plan.absent(fv) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(dst, f.key...)
			var err error
			if dst, err = f.plan.enc(dst, fv, depth+1); err != nil {
				return nil, protocol.At(f.name, err)
			}
		}
		return append(dst, '}'), nil
	}
	p.dec = func(d *decoder, v reflect.Value, depth int) error {
		next := 0 // members mostly come in our order: this guess saves a look-up
		return d.members(p, depth, func(key []byte) error {
			var f *field
			if next < len(fields) && fields[next].name == string(key) {
				f = &fields[next]
			} else if f = byName[string(key)]; f == nil {
				if err := d.SkipValue(); err != nil {
					return syntax(err)
				}
				return nil
			}
			next = f.order + 1
			if null, err := d.skipNull(); null || err != nil {
				return err
			}
			if err := f.plan.dec(d, v.Field(f.index), depth+1); err != nil {
				return protocol.At(f.name, err)
			}
			return nil
		})
	}
	return nil
}

// members reads an object. It calls f before each member's value.
func (d *decoder) members(p *plan, depth int, f func(key []byte) error) error {
	if err := d.open('{', p, depth); err != nil {
		return err
	}
	for {
		more, err := d.more('}')
		if err != nil {
			return err
		}
		if !more {
			return d.close()
		}
		key, err := d.key()
		if err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
	}
}

func (b builder) planSlice(p *plan, t reflect.Type) error {
	p.name, p.absent = "a List", isNil
	elem, err := b.plan(t.Elem())
	if err != nil {
		return err
	}
	p.enc = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if depth >= protocol.MaxDepth {
			return nil, errTooDeep
		}
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = elem.enc(dst, v.Index(i), depth+1); err != nil {
				return nil, protocol.At("["+strconv.Itoa(i)+"]", err)
			}
		}
		return append(dst, ']'), nil
	}
	p.dec = func(d *decoder, v reflect.Value, depth int) error {
		if err := d.open('[', p, depth); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(t, 0, 0))
		for i := 0; ; i++ {
			more, err := d.more(']')
			if err != nil {
				return err
			}
			if !more {
				return d.close()
			}
			if err := d.budget.Spend(2 * elem.size); err != nil { // twice: it grows by doubling
				return err
			}
			if i == v.Cap() {
				v.Grow(max(1, i))
			}
			v.SetLen(i + 1)
			v.Index(i).SetZero()
			// A list never contains null: a gap would shift the elements after it.
			if d.PeekKind() == 'n' {
				return protocol.At("["+strconv.Itoa(i)+"]", d.mismatch('n', elem))
			}
			if err := elem.dec(d, v.Index(i), depth+1); err != nil {
				return protocol.At("["+strconv.Itoa(i)+"]", err)
			}
		}
	}
	return nil
}

func (b builder) planMap(p *plan, t reflect.Type) error {
	p.name, p.absent = "a Map", isNil
	if t.Key().Kind() != reflect.String {
		return fmt.Errorf("a map by %s has no form in AWS JSON", t.Key())
	}
	elem, err := b.plan(t.Elem())
	if err != nil {
		return err
	}
	p.enc = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if depth >= protocol.MaxDepth {
			return nil, errTooDeep
		}
		// Sort the keys, so that equal values have equal bytes.
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		dst = append(dst, '{')
		for i, k := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, k.String()), ':')
			var err error
			if dst, err = elem.enc(dst, v.MapIndex(k), depth+1); err != nil {
				return nil, protocol.At(k.String(), err)
			}
		}
		return append(dst, '}'), nil
	}
	p.dec = func(d *decoder, v reflect.Value, depth int) error {
		m := reflect.MakeMap(t)
		err := d.members(p, depth, func(key []byte) error {
			if err := d.budget.Spend(2*(elem.size+16) + len(key)); err != nil {
				return err
			}
			k := reflect.New(t.Key()).Elem()
			k.SetString(string(key))
			if null, err := d.skipNull(); null || err != nil {
				return err
			}
			ev := reflect.New(t.Elem()).Elem()
			if err := elem.dec(d, ev, depth+1); err != nil {
				return protocol.At(k.String(), err)
			}
			m.SetMapIndex(k, ev)
			return nil
		})
		if err == nil {
			v.Set(m)
		}
		return err
	}
	return nil
}

func (b builder) planInterface(p *plan, t reflect.Type) error {
	if d := model.DocumentOf(t); d != nil {
		planDocument(p, d.Make)
		return nil
	}
	if u := model.UnionOf(t); u != nil {
		return b.planUnion(p, u)
	}
	return fmt.Errorf("%s is neither a union nor a document that is declared", t)
}

func planDocument(p *plan, make func(raw []byte, v any) any) {
	p.name, p.absent = "a Document", isNil
	p.enc = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		m, ok := v.Interface().(smithydocument.Marshaler)
		if !ok {
			return nil, protocol.Errorf("%s can't be encoded", v.Elem().Type())
		}
		raw, err := m.MarshalSmithyDocument()
		return append(dst, raw...), err
	}
	p.dec = func(d *decoder, v reflect.Value, depth int) error {
		raw, val, err := d.any(depth)
		if err == nil {
			v.Set(reflect.ValueOf(make(raw, val)))
		}
		return err
	}
}

func (b builder) planUnion(p *plan, u *model.Union) error {
	p.name, p.absent = "a Union", isNil
	type member struct {
		field
		t reflect.Type
	}
	byName, byType := map[string]*member{}, map[reflect.Type]*member{}
	for _, um := range u.Members {
		vp, err := b.plan(um.Value)
		if err != nil {
			return err
		}
		m := &member{t: um.Type}
		m.index, m.name, m.plan = um.Index, um.Name, vp
		m.key = string(appendString(nil, m.name)) + ":"
		byName[m.name], byType[reflect.PointerTo(um.Type)] = m, m
	}
	p.enc = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if depth >= protocol.MaxDepth {
			return nil, errTooDeep
		}
		m := byType[v.Elem().Type()]
		if m == nil || v.Elem().IsNil() {
			return nil, protocol.Errorf("%s is not a member of %s", v.Elem().Type(), u.Type.Name())
		}
		dst = append(append(dst, '{'), m.key...)
		dst, err := m.plan.enc(dst, v.Elem().Elem().Field(m.index), depth+1)
		if err != nil {
			return nil, protocol.At(m.name, err)
		}
		return append(dst, '}'), nil
	}
	p.dec = func(d *decoder, v reflect.Value, depth int) error {
		var set *member
		err := d.members(p, depth, func(key []byte) error {
			name := string(key)
			if null, err := d.skipNull(); null || err != nil {
				return err
			}
			m := byName[name]
			switch {
			case name == "__type":
				if err := d.SkipValue(); err != nil {
					return syntax(err)
				}
				return nil
			case m == nil:
				return protocol.Errorf("%s has no member %q", u.Type.Name(), name)
			case set != nil:
				return protocol.Errorf("%s must have one member, not both %s and %s", u.Type.Name(), set.name, m.name)
			}
			set = m
			fresh := reflect.New(m.t)
			if err := m.plan.dec(d, fresh.Elem().Field(m.index), depth+1); err != nil {
				return protocol.At(m.name, err)
			}
			v.Set(fresh)
			return nil
		})
		if err == nil && set == nil {
			return protocol.Errorf("%s must have one member, not none", u.Type.Name())
		}
		return err
	}
	return nil
}
