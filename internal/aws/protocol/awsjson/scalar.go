package awsjson

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ashore/ashore/internal/aws/protocol"
)

func planString(p *plan, t reflect.Type) {
	p.name = "a String"
	p.enc = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		return appendString(dst, v.String()), nil
	}
	p.dec = func(d *decoder, v reflect.Value, _ int) error {
		s, err := d.text(p)
		if err == nil {
			v.SetString(s)
		}
		return err
	}
	if t != stringT { // an enum; an empty one is unset
		p.absent = func(v reflect.Value) bool { return v.Len() == 0 }
	}
}

func planBool(p *plan) {
	p.name = "a Boolean"
	p.enc = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		return strconv.AppendBool(dst, v.Bool()), nil
	}
	p.dec = func(d *decoder, v reflect.Value, _ int) error {
		if k := d.PeekKind(); k != 't' && k != 'f' {
			return d.mismatch(k, p)
		}
		tok, err := d.ReadToken()
		if err != nil {
			return syntax(err)
		}
		v.SetBool(tok.Bool())
		return nil
	}
}

func planInt(p *plan) {
	p.name = "an Integer"
	p.enc = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		return strconv.AppendInt(dst, v.Int(), 10), nil
	}
	p.dec = func(d *decoder, v reflect.Value, _ int) error {
		raw, err := d.scalar('0', p)
		if err != nil {
			return err
		}
		n, ok := parseInt(raw)
		if !ok {
			if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f == math.Trunc(f) {
				return protocol.Errorf("%s is out of range", raw)
			}
			return protocol.Errorf("%s is not an Integer", raw)
		}
		if v.OverflowInt(n) {
			return protocol.Errorf("%s is out of range", raw)
		}
		v.SetInt(n)
		return nil
	}
}

// parseInt also accepts whole numbers written as 1.0 or 1e3, as AWS does.
func parseInt(raw []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, true
	}
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f), true
	}
	return 0, false
}

func planFloat(p *plan) {
	p.name = "a Float"
	p.enc = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		f := v.Float()
		switch {
		case math.IsNaN(f):
			return append(dst, `"NaN"`...), nil
		case math.IsInf(f, 1):
			return append(dst, `"Infinity"`...), nil
		case math.IsInf(f, -1):
			return append(dst, `"-Infinity"`...), nil
		}
		start := len(dst)
		dst = jsontext.AppendFloat(dst, f, v.Type().Bits())
		if !strings.ContainsAny(string(dst[start:]), ".e") {
			dst = append(dst, ".0"...) // as ECS writes doubleValue
		}
		return dst, nil
	}
	p.dec = func(d *decoder, v reflect.Value, _ int) error {
		if d.PeekKind() == '"' {
			s, err := d.text(p)
			if err != nil {
				return err
			}
			f, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[s]
			if !ok {
				return protocol.Errorf("%s can not be converted to %s", "STRING_VALUE", p.name)
			}
			v.SetFloat(f)
			return nil
		}
		raw, err := d.scalar('0', p)
		if err != nil {
			return err
		}
		f, err := strconv.ParseFloat(string(raw), v.Type().Bits())
		if err != nil {
			return protocol.Errorf("%s is out of range", raw)
		}
		v.SetFloat(f)
		return nil
	}
}

func planBlob(p *plan) {
	p.name = "a Blob"
	p.absent = isNil
	p.enc = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"'), nil
	}
	p.dec = func(d *decoder, v reflect.Value, _ int) error {
		s, err := d.text(p)
		if err != nil {
			return err
		}
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return &protocol.Error{Msg: "not base64", Err: err}
		}
		v.SetBytes(b)
		return nil
	}
}

func planTime(p *plan) {
	p.name = "a Timestamp"
	p.absent = reflect.Value.IsZero
	p.enc = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		return protocol.AppendEpoch(dst, v.Interface().(time.Time)), nil
	}
	p.dec = func(d *decoder, v reflect.Value, _ int) error {
		var t time.Time
		if d.PeekKind() == '"' {
			text, err := d.text(p)
			if err != nil {
				return err
			}
			if t, err = protocol.ParseTime(text, protocol.DateTime); err != nil {
				return err
			}
		} else {
			raw, err := d.scalar('0', p)
			if err != nil {
				return err
			}
			var ok bool
			if t, ok = protocol.ParseEpoch(string(raw)); !ok {
				return protocol.Errorf("%s is not a Timestamp", raw)
			}
		}
		t, err := protocol.InYears(t)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
		return nil
	}
}

// appendString appends s quoted. Bytes that aren't UTF-8 become U+FFFD; AppendQuote's
// error would only report those.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
