package query

import (
	"encoding/base64"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// Unmarshal decodes a form into the struct to which v points. It ignores unknown names.
// It returns a *protocol.Error for everything that is wrong with the form.
func (d Dialect) Unmarshal(form url.Values, v any, within protocol.Within) error {
	budget := protocol.NewBudget(within)
	root, err := treeOf(form, &budget)
	if err != nil {
		return err
	}
	return decoder{d, &budget}.structure(root, reflect.ValueOf(v).Elem(), 0)
}

type decoder struct {
	dialect Dialect
	budget  *protocol.Budget
}

func (d decoder) structure(n *node, v reflect.Value, depth int) error {
	if err := protocol.CheckDepth(depth); err != nil {
		return err
	}
	s, err := model.Of(v.Type())
	if err != nil {
		return err
	}
	for i := range s.Members {
		m := &s.Members[i]
		name := d.dialect.inputName(s, m)
		child := n.children[name]
		if child == nil {
			continue
		}
		if err := d.value(child, v.Field(m.Index), d.dialect.shape(s, m), depth+1); err != nil {
			return protocol.At(name, err)
		}
	}
	return nil
}

var timeT = reflect.TypeFor[time.Time]()

func (d decoder) value(n *node, v reflect.Value, s shape, depth int) error {
	switch v.Kind() {
	case reflect.Pointer:
		if err := d.budget.Spend(int(v.Type().Elem().Size())); err != nil {
			return err
		}
		fresh := reflect.New(v.Type().Elem())
		if err := d.value(n, fresh.Elem(), s, depth); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	case reflect.Struct:
		if v.Type() == timeT {
			return timestamp(n, v, s)
		}
		return d.structure(n, v, depth)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return blob(n, v)
		}
		return d.list(n, v, s, depth)
	case reflect.Map:
		return d.mapping(n, v, s, depth)
	case reflect.Interface:
		return d.union(n, v, depth)
	}
	return scalar(n, v)
}

func (d decoder) list(n *node, v reflect.Value, s shape, depth int) error {
	if err := protocol.CheckDepth(depth); err != nil {
		return err
	}
	fresh := reflect.MakeSlice(v.Type(), 0, 0)
	if n.given && len(n.children) == 0 { // "Tags=": an empty list
		v.Set(fresh)
		return nil
	}
	if s.element != "" {
		if n = n.at(s.element); n == nil {
			return protocol.Errorf("the elements of a list are called %s.1, %s.2 and so on", s.element, s.element)
		}
	}
	items, err := n.numbered()
	if err != nil {
		return err
	}
	if err := d.budget.Spend(len(items) * int(v.Type().Elem().Size())); err != nil {
		return err
	}
	fresh = reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if err := d.value(item, fresh.Index(i), s.of(s.item), depth+1); err != nil {
			return protocol.At("["+strconv.Itoa(i)+"]", err)
		}
	}
	v.Set(fresh)
	return nil
}

func (d decoder) mapping(n *node, v reflect.Value, s shape, depth int) error {
	if err := protocol.CheckDepth(depth); err != nil {
		return err
	}
	m := reflect.MakeMap(v.Type())
	if n.given && len(n.children) == 0 {
		v.Set(m)
		return nil
	}
	if s.element != "" {
		if n = n.at(s.element); n == nil {
			return protocol.Errorf("the entries of a map are called %s.1, %s.2 and so on", s.element, s.element)
		}
	}
	items, err := n.numbered()
	if err != nil {
		return err
	}
	for i, item := range items {
		key := item.at(s.key)
		if key == nil {
			return protocol.At("["+strconv.Itoa(i)+"]", protocol.Errorf("%s is missing", s.key))
		}
		ev := reflect.New(v.Type().Elem()).Elem()
		if err := d.budget.Spend(2*int(ev.Type().Size()) + len(key.value) + 32); err != nil {
			return err
		}
		if value := item.at(s.value); value != nil {
			if err := d.value(value, ev, s.of(s.item), depth+1); err != nil {
				return protocol.At(key.value, err)
			}
		}
		m.SetMapIndex(reflect.ValueOf(key.value).Convert(v.Type().Key()), ev)
	}
	v.Set(m)
	return nil
}

func (d decoder) union(n *node, v reflect.Value, depth int) error {
	u := model.UnionOf(v.Type())
	if u == nil {
		return protocol.Errorf("%s has no form in the Query protocol", v.Type())
	}
	for _, m := range u.Members {
		child := n.children[m.Name]
		if child == nil {
			continue
		}
		if len(n.children) > 1 {
			return protocol.Errorf("%s must have one member", u.Type.Name())
		}
		fresh := reflect.New(m.Type)
		if err := d.value(child, fresh.Elem().Field(m.Index), shape{}, depth+1); err != nil {
			return protocol.At(m.Name, err)
		}
		v.Set(fresh)
		return nil
	}
	return protocol.Errorf("%s must have one member of those that it knows", u.Type.Name())
}

func scalar(n *node, v reflect.Value) error {
	if !n.given {
		return protocol.Errorf("a value is expected, not a structure")
	}
	text := n.value
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch text {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return protocol.Errorf("must be true or false, not %q", text)
		}
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(i) {
			return protocol.Errorf("must be an integer of %d bits, not %q", v.Type().Bits(), text)
		}
		v.SetInt(i)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsNaN(f) && text != "NaN" {
			return protocol.Errorf("must be a number, not %q", text)
		}
		v.SetFloat(f)
	default:
		return protocol.Errorf("%s has no form in the Query protocol", v.Type())
	}
	return nil
}

func blob(n *node, v reflect.Value) error {
	b, err := base64.StdEncoding.DecodeString(n.value)
	if err != nil {
		return &protocol.Error{Msg: "not base64", Err: err}
	}
	v.SetBytes(b)
	return nil
}

func timestamp(n *node, v reflect.Value, s shape) error {
	t, err := protocol.ParseTime(n.value, s.time)
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}
