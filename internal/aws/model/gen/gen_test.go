package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// services returns the services with generated models. Each has a folder of its name.
func services(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../*/model_gen.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d models, %v", len(files), err)
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	return names
}

// A new version of the SDK needs new models, and so does a change of this program.
func TestModelsAreUpToDate(t *testing.T) {
	for _, name := range services(t) {
		src, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := src.Go()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name, "model_gen.go"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("the model of %s is out of date: go generate ./internal/aws/model/...", name)
		}
		if len(src.Required) < 5 {
			t.Errorf("%s requires members of only %d structures", name, len(src.Required))
		}
	}
}

// The members that the comments call required are those that the SDK's client checks in
// its inputs. The checks lack structures that no input contains, and members that can't
// be unset.
func TestRequiredIsWhatTheClientChecks(t *testing.T) {
	for _, name := range services(t) {
		src, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		checked := validated(t, name)
		if len(checked) < 5 {
			t.Fatalf("the client of %s checks only %d structures", name, len(checked))
		}
		for st, members := range checked {
			for _, m := range members {
				if !slices.Contains(src.Required[st], m) {
					t.Errorf("the client of %s requires %s.%s, its comment doesn't", name, st, m)
				}
			}
		}
	}
}

// validated reads the client's checks of its inputs, by structure.
func validated(t *testing.T, service string) map[string][]string {
	t.Helper()
	dir, err := dirOf(service)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "validators.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	table := map[string][]string{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || fn.Type.Params.NumFields() != 1 || !strings.HasPrefix(fn.Name.Name, "validate") {
			continue
		}
		name := structOf(fn, 1)
		ast.Inspect(fn, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && called(call) == "NewErrParamRequired" && name != "" {
				if s, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value); err == nil {
					table[name] = append(table[name], s)
				}
			}
			return true
		})
	}
	return table
}
