package rpccbor

import (
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
)

// Unmarshal decodes b into the struct to which v points. It ignores unknown members and
// treats null as absent. It returns a *protocol.Error for everything that is wrong with
// b.
func Unmarshal(b []byte, v any, within protocol.Within) error {
	d := &decoder{b: b, budget: protocol.NewBudget(within)}
	if err := d.value(reflect.ValueOf(v).Elem(), 0); err != nil {
		return err
	}
	if len(d.b) > 0 {
		return protocol.Errorf("something follows the end of the document")
	}
	return nil
}

// A decoder reads items from b and removes them.
type decoder struct {
	b      []byte
	budget protocol.Budget
}

var errShort = protocol.Errorf("malformed CBOR: unexpected end")

// A head has an item's first bytes.
type head struct {
	major byte
	arg   uint64
	info  byte // the lower five bits
}

// indefinite says that the item's length is unknown before its end.
func (h head) indefinite() bool { return h.info == 31 }

func (d *decoder) head() (head, error) {
	if len(d.b) == 0 {
		return head{}, errShort
	}
	h := head{major: d.b[0] & 0xe0, info: d.b[0] & 0x1f}
	d.b = d.b[1:]
	size := 0
	switch {
	case h.info < 24:
		h.arg = uint64(h.info)
	case h.info <= 27:
		size = 1 << (h.info - 24)
	case h.info == 31 && (h.major == majorBytes || h.major == majorText || h.major == majorList || h.major == majorMap):
	default:
		return head{}, protocol.Errorf("malformed CBOR: reserved length")
	}
	if len(d.b) < size {
		return head{}, errShort
	}
	for _, c := range d.b[:size] {
		h.arg = h.arg<<8 | uint64(c)
	}
	d.b = d.b[size:]
	return h, nil
}

// null reads a null or an undefined if it comes next.
func (d *decoder) null() bool {
	if len(d.b) > 0 && (d.b[0] == simpleNull || d.b[0] == simpleUndefined) {
		d.b = d.b[1:]
		return true
	}
	return false
}

// bytes reads the content of a byte string or a text string.
func (d *decoder) bytes(h head) ([]byte, error) {
	if !h.indefinite() {
		if h.arg > uint64(len(d.b)) {
			return nil, errShort
		}
		s := d.b[:h.arg]
		d.b = d.b[h.arg:]
		return s, nil
	}
	var all []byte
	for {
		if d.end() {
			return all, nil
		}
		chunk, err := d.head()
		if err != nil {
			return nil, err
		}
		if chunk.major != h.major || chunk.indefinite() {
			return nil, protocol.Errorf("malformed CBOR: a string's chunk of another kind")
		}
		s, err := d.bytes(chunk)
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
}

// end reads the end of an item of indefinite length if it comes next.
func (d *decoder) end() bool {
	if len(d.b) > 0 && d.b[0] == itemBreak {
		d.b = d.b[1:]
		return true
	}
	return false
}

// each calls f for each element of a list, or for each key of a map.
func (d *decoder) each(h head, f func(i int) error) error {
	for i := 0; h.indefinite() || uint64(i) < h.arg; i++ {
		if h.indefinite() && d.end() {
			return nil
		}
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

// expect reads the head of an item of the given kind.
func (d *decoder) expect(major byte, what string) (head, error) {
	h, err := d.head()
	if err != nil {
		return h, err
	}
	if h.major != major {
		return h, protocol.Errorf("%s found where %s is expected", kindOf(h.major), what)
	}
	return h, nil
}

func kindOf(major byte) string {
	return [...]string{"a positive Integer", "a negative Integer", "a Blob", "a String", "a List", "a Map", "a tag", "a simple value"}[major>>5]
}

func (d *decoder) value(v reflect.Value, depth int) error {
	if err := protocol.CheckDepth(depth); err != nil {
		return err
	}
	switch v.Kind() {
	case reflect.Pointer:
		if err := d.budget.Spend(int(v.Type().Elem().Size())); err != nil {
			return err
		}
		fresh := reflect.New(v.Type().Elem())
		if err := d.value(fresh.Elem(), depth); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return d.time(v)
		}
		return d.structure(v, depth)
	case reflect.String:
		s, err := d.text()
		if err == nil {
			v.SetString(s)
		}
		return err
	case reflect.Bool:
		return d.boolean(v)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return d.integer(v)
	case reflect.Float32, reflect.Float64:
		f, err := d.float()
		if err == nil {
			v.SetFloat(f)
		}
		return err
	case reflect.Slice:
		return d.slice(v, depth)
	case reflect.Map:
		return d.mapping(v, depth)
	case reflect.Interface:
		return d.union(v, depth)
	}
	return protocol.Errorf("%s has no form in CBOR", v.Type())
}

func (d *decoder) text() (string, error) {
	h, err := d.expect(majorText, "a String")
	if err != nil {
		return "", err
	}
	s, err := d.bytes(h)
	return string(s), err
}

func (d *decoder) boolean(v reflect.Value) error {
	h, err := d.expect(majorSimple, "a Boolean")
	if err != nil {
		return err
	}
	if b := majorSimple | h.info; b != simpleTrue && b != simpleFalse {
		return protocol.Errorf("a simple value found where a Boolean is expected")
	}
	v.SetBool(majorSimple|h.info == simpleTrue)
	return nil
}

func (d *decoder) integer(v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.major != majorUint && h.major != majorNegative {
		return protocol.Errorf("%s found where an Integer is expected", kindOf(h.major))
	}
	if h.arg > math.MaxInt64 {
		return protocol.Errorf("out of range")
	}
	i := int64(h.arg)
	if h.major == majorNegative {
		i = -1 - i
	}
	if v.OverflowInt(i) {
		return protocol.Errorf("%d is out of range", i)
	}
	v.SetInt(i)
	return nil
}

// float reads a number of any kind.
func (d *decoder) float() (float64, error) {
	h, err := d.head()
	if err != nil {
		return 0, err
	}
	switch {
	case h.major == majorUint:
		return float64(h.arg), nil
	case h.major == majorNegative:
		return -1 - float64(h.arg), nil
	case h.major != majorSimple:
		return 0, protocol.Errorf("%s found where a number is expected", kindOf(h.major))
	}
	switch majorSimple | h.info {
	case float16:
		return halfOf(uint16(h.arg)), nil
	case float32bits:
		return float64(math.Float32frombits(uint32(h.arg))), nil
	case float64bits:
		return math.Float64frombits(h.arg), nil
	}
	return 0, protocol.Errorf("a simple value found where a number is expected")
}

// halfOf returns the number with the given 16 bits.
func halfOf(bits uint16) float64 {
	exponent, fraction := int(bits>>10&0x1f), float64(bits&0x3ff)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(fraction, -24)
	case 31:
		f = math.Inf(1)
		if fraction != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(fraction+1024, exponent-25)
	}
	return math.Copysign(f, float64(int(1)-int(bits>>15)*2))
}

func (d *decoder) time(v reflect.Value) error {
	h, err := d.expect(majorTag, "a Timestamp")
	if err != nil {
		return err
	}
	if h.arg != tagEpoch {
		return protocol.Errorf("a Timestamp must have tag %d, not %d", tagEpoch, h.arg)
	}
	f, err := d.float()
	if err != nil {
		return err
	}
	if math.IsNaN(f) || math.Abs(f) > 1e12 {
		return protocol.Errorf("%v is out of range for a Timestamp", f)
	}
	t, err := protocol.InYears(time.UnixMilli(int64(math.Round(f * 1e3))).UTC())
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func (d *decoder) structure(v reflect.Value, depth int) error {
	s, err := model.Of(v.Type())
	if err != nil {
		return err
	}
	h, err := d.expect(majorMap, "a Structure")
	if err != nil {
		return err
	}
	return d.each(h, func(int) error {
		name, err := d.text()
		if err != nil {
			return err
		}
		m := s.Member(name)
		if m == nil {
			return d.skip(depth + 1)
		}
		if d.null() {
			return nil
		}
		if err := d.value(v.Field(m.Index), depth+1); err != nil {
			return protocol.At(name, err)
		}
		return nil
	})
}

func (d *decoder) slice(v reflect.Value, depth int) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		h, err := d.expect(majorBytes, "a Blob")
		if err != nil {
			return err
		}
		b, err := d.bytes(h)
		if err == nil {
			v.SetBytes(append([]byte{}, b...))
		}
		return err
	}
	h, err := d.expect(majorList, "a List")
	if err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.each(h, func(i int) error {
		if err := d.budget.Spend(2 * int(v.Type().Elem().Size())); err != nil { // twice: it grows by doubling
			return err
		}
		if i == v.Cap() {
			v.Grow(max(1, i))
		}
		v.SetLen(i + 1)
		v.Index(i).SetZero()
		if err := d.value(v.Index(i), depth+1); err != nil {
			return protocol.At("["+strconv.Itoa(i)+"]", err)
		}
		return nil
	})
}

func (d *decoder) mapping(v reflect.Value, depth int) error {
	h, err := d.expect(majorMap, "a Map")
	if err != nil {
		return err
	}
	m := reflect.MakeMap(v.Type())
	err = d.each(h, func(int) error {
		key, err := d.text()
		if err != nil {
			return err
		}
		if d.null() {
			return nil
		}
		ev := reflect.New(v.Type().Elem()).Elem()
		if err := d.budget.Spend(2*(int(ev.Type().Size())+16) + len(key)); err != nil {
			return err
		}
		if err := d.value(ev, depth+1); err != nil {
			return protocol.At(key, err)
		}
		m.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), ev)
		return nil
	})
	v.Set(m)
	return err
}

func (d *decoder) union(v reflect.Value, depth int) error {
	u := model.UnionOf(v.Type())
	if u == nil {
		return protocol.Errorf("%s has no form in CBOR", v.Type())
	}
	h, err := d.expect(majorMap, "a Union")
	if err != nil {
		return err
	}
	err = d.each(h, func(int) error {
		name, err := d.text()
		if err != nil || d.null() {
			return err
		}
		m := u.Member(name)
		switch {
		case m == nil:
			return protocol.Errorf("%s has no member %q", u.Type.Name(), name)
		case !v.IsNil():
			return protocol.Errorf("%s must have one member", u.Type.Name())
		}
		fresh := reflect.New(m.Type)
		if err := d.value(fresh.Elem().Field(m.Index), depth+1); err != nil {
			return protocol.At(name, err)
		}
		v.Set(fresh)
		return nil
	})
	if err == nil && v.IsNil() {
		return protocol.Errorf("%s must have one member, not none", u.Type.Name())
	}
	return err
}

// skip reads an item and ignores it.
func (d *decoder) skip(depth int) error {
	if err := protocol.CheckDepth(depth); err != nil {
		return err
	}
	h, err := d.head()
	if err != nil {
		return err
	}
	switch h.major {
	case majorBytes, majorText:
		_, err = d.bytes(h)
	case majorList:
		err = d.each(h, func(int) error { return d.skip(depth + 1) })
	case majorMap:
		err = d.each(h, func(int) error {
			if err := d.skip(depth + 1); err != nil {
				return err
			}
			return d.skip(depth + 1)
		})
	case majorTag:
		err = d.skip(depth + 1)
	}
	return err
}
