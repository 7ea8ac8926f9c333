package awsjson

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ashore/ashore/internal/aws/protocol"
)

type decoder struct {
	jsontext.Decoder
	src    bytes.Buffer
	budget protocol.Budget
}

// open reads the first delimiter of an object or a list.
func (d *decoder) open(kind jsontext.Kind, p *plan, depth int) error {
	if k := d.PeekKind(); k != kind {
		return d.mismatch(k, p)
	}
	if depth >= protocol.MaxDepth {
		return protocol.Errorf("nested more than %d deep", protocol.MaxDepth)
	}
	if _, err := d.ReadToken(); err != nil {
		return syntax(err)
	}
	return nil
}

// close reads the last delimiter of an object or a list.
func (d *decoder) close() error {
	if _, err := d.ReadToken(); err != nil {
		return syntax(err)
	}
	return nil
}

// more says whether another element comes before the end delimiter.
func (d *decoder) more(end jsontext.Kind) (bool, error) {
	switch d.PeekKind() {
	case end:
		return false, nil
	case 0:
		_, err := d.ReadToken()
		return false, syntax(err)
	}
	return true, nil
}

// key reads a member's name. The next read may overwrite the result.
func (d *decoder) key() ([]byte, error) {
	raw, err := d.ReadValue()
	if err != nil {
		return nil, syntax(err)
	}
	return unquote(raw)
}

// skipNull reads a null if it comes next.
func (d *decoder) skipNull() (bool, error) {
	if d.PeekKind() != 'n' {
		return false, nil
	}
	if _, err := d.ReadToken(); err != nil {
		return false, syntax(err)
	}
	return true, nil
}

// scalar reads a value of the given kind. It is valid until the next read.
func (d *decoder) scalar(kind jsontext.Kind, p *plan) ([]byte, error) {
	if k := d.PeekKind(); k != kind {
		return nil, d.mismatch(k, p)
	}
	raw, err := d.ReadValue()
	if err != nil {
		return nil, syntax(err)
	}
	return raw, nil
}

func (d *decoder) text(p *plan) (string, error) {
	raw, err := d.scalar('"', p)
	if err != nil {
		return "", err
	}
	s, err := unquote(raw)
	return string(s), err
}

func unquote(raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return nil, syntax(err)
	}
	return s, nil
}

// mismatch returns the error for a value of the wrong kind, with AWS's message.
func (d *decoder) mismatch(got jsontext.Kind, want *plan) error {
	switch got {
	case '"':
		return protocol.Errorf("STRING_VALUE can not be converted to %s", want.name)
	case '0':
		return protocol.Errorf("NUMBER_VALUE can not be converted to %s", want.name)
	case 't', 'f':
		return protocol.Errorf("%s_VALUE can not be converted to %s", map[jsontext.Kind]string{'t': "TRUE", 'f': "FALSE"}[got], want.name)
	case 'n':
		return protocol.Errorf("null where %s is expected", want.name)
	case '[':
		return protocol.Errorf("start of list found where %s is expected", want.name)
	case '{':
		return protocol.Errorf("start of structure or map found where %s is expected", want.name)
	}
	_, err := d.ReadToken()
	if err == nil {
		return protocol.Errorf("%s is expected", want.name)
	}
	return syntax(err)
}

// any reads the next value, of any kind, for a document.
func (d *decoder) any(depth int) (raw []byte, v any, err error) {
	val, err := d.ReadValue()
	if err != nil {
		return nil, nil, syntax(err)
	}
	raw = bytes.Clone(val)
	if err := (*jsontext.Value)(&raw).Compact(jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, nil, syntax(err)
	}
	if nesting(raw)+depth > protocol.MaxDepth {
		return nil, nil, protocol.Errorf("nested more than %d deep", protocol.MaxDepth)
	}
	// An element of a document takes two bytes here, and 16 to 50 in memory.
	if err := d.budget.Spend(24 * len(raw)); err != nil {
		return nil, nil, err
	}
	std := json.NewDecoder(bytes.NewReader(raw))
	std.UseNumber()
	if err := std.Decode(&v); err != nil {
		return nil, nil, &protocol.Error{Msg: "malformed JSON: " + err.Error(), Err: err}
	}
	return raw, v, nil
}

// nesting returns the nesting depth of valid JSON.
func nesting(raw []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
