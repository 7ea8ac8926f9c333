package coverage

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// An Outcome is what a member of an input leads to.
type Outcome string

const (
	// Effective: it does what ECS says that it does.
	Effective Outcome = "effective"
	// Stored: it is checked, stored and described, and changes nothing else here.
	Stored Outcome = "stored only"
	// Refused: a request that has it is refused, and the refusal says why.
	Refused Outcome = "refused"
)

// A Field is a declared member, with everything below it that is not declared itself.
type Field struct {
	Path    string
	Outcome Outcome
	Note    string // which values; why stored only or refused
}

func fields(groups ...[]Field) []Field { return slices.Concat(groups...) }

func group(o Outcome, note string, paths []string) []Field {
	var out []Field
	for _, p := range paths {
		out = append(out, Field{p, o, note})
	}
	return out
}

func effective(paths ...string) []Field                    { return group(Effective, "", paths) }
func effectivePartly(note string, paths ...string) []Field { return group(Effective, note, paths) }
func stored(note string, paths ...string) []Field          { return group(Stored, note, paths) }
func refused(note string, paths ...string) []Field         { return group(Refused, note, paths) }

// Declared returns the members of an operation's input, as the code treats them. The
// conformance suite sends each of them and checks that.
func Declared(operation string) []Field { return declared[operation] }

var declared = merge(clusterFields, definitionFields, taskFields, instanceFields, accountFields, serviceFieldsOf)

func merge(tables ...map[string][]Field) map[string][]Field {
	all := map[string][]Field{}
	for _, t := range tables {
		for op, f := range t {
			if all[op] != nil {
				panic("coverage: " + op + " is declared twice")
			}
			all[op] = f
		}
	}
	return all
}

// InputOf returns the SDK's input type of an operation.
func InputOf(operation string) (reflect.Type, error) {
	m, ok := reflect.TypeFor[*ecs.Client]().MethodByName(operation)
	if !ok {
		return nil, fmt.Errorf("the SDK has no operation %s", operation)
	}
	return m.Type.In(2).Elem(), nil
}

// FieldOf returns the declared field that a member belongs to: the one with the
// longest path.
func FieldOf(fields []Field, member string) (f Field, ok bool) {
	for _, x := range fields {
		if covers(x.Path, member) && len(x.Path) >= len(f.Path) {
			f, ok = x, true
		}
	}
	return f, ok
}

func covers(path, member string) bool {
	rest, ok := strings.CutPrefix(member, path)
	return ok && (rest == "" || rest[0] == '.' || strings.HasPrefix(rest, "[]"))
}
