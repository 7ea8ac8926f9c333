// Package restjson is AWS's REST-JSON protocol for the SDK's structs. An operation is a
// method and a path. Some members are in the path, the query string or the headers. The
// others are in a JSON body.
package restjson

import (
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
)

// Protocol is REST-JSON.
type Protocol struct{}

// Find returns the operation with a method and a path, nil if there is none. A path
// with more fixed parts is preferred.
func Find(svc *model.Service, method, path string) *model.Operation {
	var found *model.Operation
	fixed := -1
	for i := range svc.Operations {
		op := &svc.Operations[i]
		if op.Method != method {
			continue
		}
		if _, n, ok := match(op.Path, path); ok && n > fixed {
			found, fixed = op, n
		}
	}
	return found
}

// match matches a path with a pattern: "/schedules/{Name}", or "{Key+}" for the rest of
// the path. It returns the labels' values, still escaped, and the number of fixed
// parts.
func match(pattern, path string) (labels map[string]string, fixed int, ok bool) {
	pattern, _, _ = strings.Cut(pattern, "?")
	want, have := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	labels = map[string]string{}
	for i, w := range want {
		if i >= len(have) {
			return nil, 0, false
		}
		label, isLabel := strings.CutPrefix(w, "{")
		label = strings.TrimSuffix(label, "}")
		name, greedy := strings.CutSuffix(label, "+")
		switch {
		case isLabel && greedy:
			labels[name] = strings.Join(have[i:], "/")
			return labels, fixed, true
		case isLabel && have[i] != "":
			labels[name] = have[i]
		case isLabel || w != have[i]:
			return nil, 0, false
		default:
			fixed++
		}
	}
	return labels, fixed, len(want) == len(have)
}

// Decode decodes the body, and then the members outside of it.
func (Protocol) Decode(op *model.Operation, r *http.Request, body []byte, in any, within protocol.Within) error {
	if len(body) > 0 {
		if err := awsjson.UnmarshalWithin(body, in, within); err != nil {
			return err
		}
	}
	labels, _, ok := match(op.Path, r.URL.EscapedPath())
	if !ok {
		return protocol.Errorf("the path is not %s", op.Path)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &protocol.Error{Msg: "the query string is malformed", Err: err}
	}
	v := reflect.ValueOf(in).Elem()
	for member, b := range op.Bound {
		field := v.FieldByName(member)
		if !field.IsValid() {
			return protocol.Errorf("%T has no member %s", in, member)
		}
		field.SetZero() // a value in the body doesn't count
		var values []string
		switch b.In {
		case model.InLabel:
			label, err := url.PathUnescape(labels[b.Name])
			if err != nil {
				return protocol.At(b.Name, &protocol.Error{Msg: "malformed escapes", Err: err})
			}
			values = []string{label}
		case model.InQuery:
			values = query[b.Name]
		case model.InHeader:
			values = r.Header.Values(b.Name)
		}
		if err := set(field, values, b); err != nil {
			return protocol.At(b.Name, err)
		}
	}
	return nil
}

// set sets a member to the texts of its binding.
func set(v reflect.Value, values []string, b model.Binding) error {
	if len(values) == 0 {
		return nil
	}
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), len(values), len(values)))
		for i, s := range values {
			if err := scalar(v.Index(i), s, b); err != nil {
				return err
			}
		}
		return nil
	}
	return scalar(v, values[0], b)
}

func scalar(v reflect.Value, s string, b model.Binding) error {
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		if err := scalar(fresh.Elem(), s, b); err != nil {
			return err
		}
		v.Set(fresh)
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		truth, err := strconv.ParseBool(s)
		if err != nil {
			return protocol.Errorf("must be true or false, not %q", s)
		}
		v.SetBool(truth)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return protocol.Errorf("must be an integer of %d bits, not %q", v.Type().Bits(), s)
		}
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(s, v.Type().Bits())
		if err != nil {
			return protocol.Errorf("must be a number, not %q", s)
		}
		v.SetFloat(f)
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			return protocol.Errorf("%s has no form in a %s", v.Type(), b.In)
		}
		format := protocol.DateTime
		if b.In == model.InHeader {
			format = protocol.HTTPDate
		}
		t, err := protocol.ParseTime(s, format)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
	default:
		return protocol.Errorf("%s has no form in a %s", v.Type(), b.In)
	}
	return nil
}

func (Protocol) Encode(dst []byte, _ *model.Service, _ *model.Operation, h http.Header, _ string, out any) ([]byte, error) {
	h.Set("Content-Type", "application/json")
	return awsjson.Append(dst, out)
}

// Fault returns an object, and puts the error's type into a header.
func (Protocol) Fault(h http.Header, _ string, f protocol.Fault) []byte {
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-Errortype", f.Code)
	if f.Err != nil {
		return awsjson.AppendFault(nil, f)
	}
	return awsjson.Object("message", f.Message)
}

// Status returns the model's status, 403 if the caller is unknown or not allowed, else
// 400.
func (Protocol) Status(f protocol.Fault) int { return protocol.StatusOf(f) }

// Malformed returns the error code for a request that can't be decoded.
func (Protocol) Malformed() string { return "SerializationException" }
