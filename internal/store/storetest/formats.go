package storetest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/store"
	"github.com/go-json-experiment/json/jsontext"
)

// Formats checks that this version reads the stored records of earlier versions, for
// all kinds of records that the test's program knows. Beside the source that registers
// a kind are the files testdata/format1/*.json, with records as a release has written
// them. A file's name is the record's key with "." for "/". Such a file never changes,
// because installations have such records.
//
// Each file must be of a known kind, it must decode, this version must know all of its
// members except those called "future", and nothing may be lost when the record is
// written again. The files of a kind together must have each of its members.
//
// If write is set, Formats writes a record with all members for each kind that lacks
// one.
func Formats(t testing.TB, write bool) {
	t.Helper()
	dirs := map[string][]store.Description{}
	for _, k := range store.Kinds() {
		dirs[k.Dir] = append(dirs[k.Dir], k)
	}
	for dir, kinds := range dirs {
		f := formats{t, filepath.Join(dir, "testdata", fmt.Sprint("format", store.Format))}
		seen := f.read(kinds)
		for _, k := range kinds {
			if t := reflect.TypeOf(k.New()).Elem(); !keepsUnknown(t) {
				f.t.Errorf("%s, the record of %s, has no `Extra jsontext.Value` with the tag json:\",embed\": members that a newer version adds would be lost", t, k.Path)
			}
			lacks := missing(k, seen[k.Path])
			if len(lacks) > 0 && write {
				f.write(k)
			} else if len(lacks) > 0 {
				t.Errorf("no stored record of %s has %s: run this test with -update and commit the new file", k.Path, strings.Join(lacks, ", "))
			}
		}
	}
}

type formats struct {
	t   testing.TB
	dir string
}

// installation is the only file that is not a record.
const installation = "installation.json"

// read checks a folder's files. It returns the members in them, by kind.
func (f formats) read(kinds []store.Description) map[string]map[string]bool {
	f.t.Helper()
	seen := map[string]map[string]bool{}
	files, err := filepath.Glob(filepath.Join(f.dir, "*.json"))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == installation {
			continue
		}
		k, ok := store.KindOf(keyOf(file))
		if !ok || !slices.ContainsFunc(kinds, func(o store.Description) bool { return o.Path == k.Path }) {
			f.t.Errorf("%s is a stored record of a kind that is not registered in %s: installations have the like", file, filepath.Dir(filepath.Dir(f.dir)))
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := check(k, data); err != nil {
			f.t.Errorf("%s: %v", file, err)
		}
		if seen[k.Path] == nil {
			seen[k.Path] = map[string]bool{"": true}
		}
		membersIn(data, seen[k.Path])
	}
	return seen
}

// check checks one stored record.
func check(k store.Description, stored []byte) error {
	record, err := k.Decode(stored)
	if err != nil {
		return err
	}
	if unknown := unknownIn(reflect.ValueOf(record)); len(unknown) > 0 {
		return fmt.Errorf("members that this version does not know: %s", strings.Join(unknown, ", "))
	}
	again, err := k.Encode(record)
	if err != nil {
		return err
	}
	was, is := jsontext.Value(slices.Clone(stored)), jsontext.Value(slices.Clone(again))
	if err := was.Canonicalize(); err != nil {
		return err
	}
	if err := is.Canonicalize(); err != nil {
		return err
	}
	if string(was) != string(is) {
		return fmt.Errorf("written again it is\n%s, stored was\n%s", is, was)
	}
	return nil
}

// fileOf returns the path of a record's file, and keyOf the record's key.
func (f formats) fileOf(key string) string {
	return filepath.Join(f.dir, strings.ReplaceAll(strings.ReplaceAll(key, ".", "%2E"), "/", ".")+".json")
}

func keyOf(file string) string {
	key := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".json"), ".", "/")
	return strings.ReplaceAll(key, "%2E", ".")
}

// write writes a record that has all members of a kind.
func (f formats) write(k store.Description) {
	f.t.Helper()
	record := k.New()
	fill(reflect.ValueOf(record).Elem(), 0)
	data, err := k.Encode(record)
	if err != nil {
		f.t.Fatalf("%s: %v", k.Path, err)
	}
	if err := check(k, data); err != nil {
		f.t.Errorf("%s, filled: %v", k.Path, err)
		return
	}
	text := jsontext.Value(data)
	if err := text.Indent(); err != nil {
		f.t.Fatal(err)
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
	for n := 1; ; n++ {
		names := make([]string, k.Names())
		for i := range names {
			names[i] = fmt.Sprint("filled/", n)
		}
		file := f.fileOf(k.Key(names...))
		if _, err := os.Stat(file); err == nil && k.Names() > 0 {
			continue // it belongs to a release
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			f.t.Fatal(err)
		}
		return
	}
}

// future is a member that no version knows.
var future = jsontext.Value(`{"future":{"list":[1,"two"]}}`)

// fill sets everything in a value.
func fill(v reflect.Value, depth int) {
	if depth > 12 {
		return
	}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)))
		return
	case jsontext.Value:
		v.Set(reflect.ValueOf(future))
		return
	case []byte:
		v.SetBytes([]byte("bytes"))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), depth+1)
			}
		}
	}
}

// member returns the name of a field in JSON.
func member(f reflect.StructField) (name string, embedded bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		name = f.Name
	}
	return name, slices.Contains(strings.Split(options, ","), "embed") || f.Anonymous && f.Tag.Get("json") == ""
}

// keepsUnknown says whether a record keeps members that this version does not know. A
// record without members, of which only the revision matters, needs not.
func keepsUnknown(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.NumField() == 0 {
		return true
	}
	for i := range t.NumField() {
		if _, embedded := member(t.Field(i)); embedded && t.Field(i).Type == reflect.TypeFor[jsontext.Value]() {
			return true
		}
	}
	return false
}

// missing returns the members of a kind that were not seen.
func missing(k store.Description, seen map[string]bool) []string {
	all := map[string]bool{"": true}
	membersOf(reflect.TypeOf(k.New()).Elem(), "", all, nil)
	var lacks []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if !seen[path] {
			lacks = append(lacks, strings.TrimPrefix(path, "."))
		}
	}
	if !seen[""] {
		return []string{"anything"}
	}
	return lacks
}

// membersOf collects the members of a type. It leaves out members of the SDK's types,
// because AWS decides about those.
func membersOf(t reflect.Type, at string, all map[string]bool, outer []reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !strings.HasPrefix(t.PkgPath(), "github.com/ashore/") && !strings.HasSuffix(t.PkgPath(), "_test") || slices.Contains(outer, t) {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, embedded := member(f)
		switch {
		case !f.IsExported() && !f.Anonymous, name == "-", embedded && f.Type == reflect.TypeFor[jsontext.Value]():
		case embedded:
			membersOf(f.Type, at, all, outer)
		default:
			all[at+"."+name] = true
			membersOf(f.Type, at+"."+name, all, append(outer, t))
		}
	}
}

// membersIn collects the members of a stored record.
func membersIn(data []byte, all map[string]bool) {
	d := jsontext.NewDecoder(strings.NewReader(string(data)))
	var walk func(at string) error
	walk = func(at string) error {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		switch token.Kind() {
		case '{':
			for d.PeekKind() != '}' {
				name, err := d.ReadToken()
				if err != nil {
					return err
				}
				path := at + "." + name.String()
				all[path] = true
				if err := walk(path); err != nil {
					return err
				}
			}
			_, err = d.ReadToken()
		case '[':
			for d.PeekKind() != ']' {
				if err := walk(at); err != nil {
					return err
				}
			}
			_, err = d.ReadToken()
		}
		return err
	}
	_ = walk("") // Decode has reported malformed JSON
}

// unknownIn returns the members of a record that this version does not know, except
// those that no version knows.
func unknownIn(v reflect.Value) (unknown []string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return unknownIn(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			unknown = append(unknown, unknownIn(v.Index(i))...)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			unknown = append(unknown, unknownIn(v.MapIndex(key))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if _, embedded := member(f); embedded && f.Type == reflect.TypeFor[jsontext.Value]() {
				all := map[string]bool{}
				membersIn(v.Field(i).Interface().(jsontext.Value), all)
				for _, path := range slices.Sorted(maps.Keys(all)) {
					if path != ".future" && !strings.HasPrefix(path, ".future.") {
						unknown = append(unknown, strings.TrimPrefix(path, "."))
					}
				}
				continue
			}
			unknown = append(unknown, unknownIn(v.Field(i))...)
		}
	}
	return unknown
}
