package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/aws/model"
)

const modules = "github.com/aws/aws-sdk-go-v2/service/"

// A Source holds what a module's sources say about its service.
type Source struct {
	Service     string // "elasticloadbalancingv2"
	SigningName string
	// GlobalRegion is the region for which clients in the partition aws sign, whatever
	// their own region is. It comes from the rules for endpoints.
	GlobalRegion string
	Shape        string
	Version      string
	Namespace    string
	Operations   []Operation
	Required     map[string][]string          // required members, by struct: "CreateRoleInput" or "types.Tag"
	Unions       map[string]map[string]string // by union and member's Go name: the member's name in the model
	members      map[string][]string          // by shape, in the form of the schemas
	rest         map[string]*Operation        // of a REST protocol, by name
	// Names has the members' wire names, by struct and Go name. It lacks those that are
	// the Go name with a lower-case first letter.
	Names map[string]map[string]string
}

// An Operation is a method of the client.
type Operation struct {
	Name, Method, Path string
	Bound              map[string]Binding // by the Go name of the member
}

// A Binding says where a REST protocol puts a member.
type Binding struct{ In, Name string }

// Read reads a service's module, in the version of this repository's go.mod.
func Read(service string) (*Source, error) {
	dir, err := dirOf(service)
	if err != nil {
		return nil, err
	}
	s := &Source{Service: service, Required: map[string][]string{}, Unions: map[string]map[string]string{}, members: map[string][]string{}, rest: map[string]*Operation{}, Names: map[string]map[string]string{}}
	if err := s.readFiles(dir, "", "*.go"); err != nil {
		return nil, err
	}
	if err := s.readFiles(filepath.Join(dir, "types"), "types.", "types.go"); err != nil {
		return nil, err
	}
	if err := s.readFiles(filepath.Join(dir, "schemas"), "-", "schemas.go"); err != nil {
		return nil, err
	}
	s.nameUnions()
	for i := range s.Operations {
		if r := s.rest[s.Operations[i].Name]; r != nil {
			s.Operations[i].Method, s.Operations[i].Path, s.Operations[i].Bound = r.Method, r.Path, r.Bound
		}
	}
	slices.SortFunc(s.Operations, func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
	for what, v := range map[string]string{"signing name": s.SigningName, "operations": strings.Repeat("x", len(s.Operations))} {
		if v == "" {
			return nil, fmt.Errorf("%s: found no %s", dir, what)
		}
	}
	return s, nil
}

// nameUnions finds the names of the unions' members. Go writes them with an upper-case
// first letter. A module without schemas writes them with a lower-case one.
func (s *Source) nameUnions() {
	for union, members := range s.Unions {
		for name := range members {
			members[name] = model.LowerFirst(name)
			if slices.Contains(s.members[union], name) {
				members[name] = name
			}
		}
	}
}

func dirOf(service string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", modules+service).Output()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return "", fmt.Errorf("go list -m %s: %w: %s", modules+service, err, failed.Stderr)
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}

// readFiles reads a folder's files. pkg is the prefix of their structs in the tables,
// "-" if they have no structs of the API.
func (s *Source) readFiles(dir, pkg, pattern string) error {
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				s.readTypes(d, pkg)
			case *ast.FuncDecl:
				s.readFunc(d, pkg)
				s.readREST(d)
				s.readNames(d)
			}
		}
		ast.Inspect(f, s.readCall)
	}
	return nil
}

// readTypes reads the required members of the structs in a declaration.
func (s *Source) readTypes(d *ast.GenDecl, pkg string) {
	if pkg == "-" {
		return
	}
	for _, spec := range d.Specs {
		typ, ok := spec.(*ast.TypeSpec)
		if !ok || !typ.Name.IsExported() || strings.HasSuffix(typ.Name.Name, "Output") {
			continue
		}
		if st, ok := typ.Type.(*ast.StructType); ok {
			for _, field := range st.Fields.List {
				// The text must be a line of its own: comments also mention members
				// that are required only under a condition.
				if !slices.Contains(strings.Split(strings.TrimSpace(field.Doc.Text()), "\n"), "This member is required.") {
					continue
				}
				for _, n := range field.Names {
					s.Required[pkg+typ.Name.Name] = append(s.Required[pkg+typ.Name.Name], n.Name)
				}
			}
		}
	}
}

// readFunc reads an operation of the client, or a member of a union: func
// (*PolicyMemberArn) isPolicy().
func (s *Source) readFunc(d *ast.FuncDecl, pkg string) {
	if d.Recv == nil || len(d.Recv.List) != 1 {
		return
	}
	star, ok := d.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return
	}
	recv, ok := star.X.(*ast.Ident)
	if !ok {
		return
	}
	params := d.Type.Params.List
	switch union, is := strings.CutPrefix(d.Name.Name, "is"); {
	case pkg == "" && recv.Name == "Client" && len(params) == 3 && d.Name.IsExported():
		if in, ok := params[1].Type.(*ast.StarExpr); ok {
			if name, ok := in.X.(*ast.Ident); ok && name.Name == d.Name.Name+"Input" {
				s.Operations = append(s.Operations, Operation{Name: d.Name.Name})
			}
		}
	case pkg == "types." && is && len(params) == 0 && strings.HasPrefix(recv.Name, union+"Member"):
		if s.Unions[union] == nil {
			s.Unions[union] = map[string]string{}
		}
		s.Unions[union][strings.TrimPrefix(recv.Name, union+"Member")] = ""
	}
}

// awsGlobal is the region of the partition aws for which clients of global services
// sign.
const awsGlobal = "us-east-1"

var targetOf = regexp.MustCompile(`^(\w+)\.\w+$`)

// readCall reads the signing name, the prefix of targets, the version and the namespace
// from calls.
func (s *Source) readCall(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch sel.Sel.Name {
		case "SetSigV4SigningName":
			s.SigningName = first(text(n.Args, 1), s.SigningName)
		case "SetSigV4SigningRegion":
			if text(n.Args, 1) == awsGlobal {
				s.GlobalRegion = awsGlobal
			}
		case "NewServiceSchema":
			s.Version = text(n.Args, 1)
		case "AddMember": // PolicyIdentifier.AddMember("InlinePolicyIdentifier", …)
			if shape, ok := sel.X.(*ast.Ident); ok {
				s.members[shape.Name] = append(s.members[shape.Name], text(n.Args, 0))
			}
		case "NewSchema": // smithy.NewSchema(smithy.ShapeID{Namespace: …, Name: …}, smithy.ShapeTypeService, …)
			if typ, ok := n.Args[1].(*ast.SelectorExpr); ok && typ.Sel.Name == "ShapeTypeService" {
				s.Shape = member(n.Args[0], "Name")
			}
		case "String": // an older module: .SetHeader("X-Amz-Target").String("Prefix.Operation")
			call, ok := sel.X.(*ast.CallExpr)
			if m := targetOf.FindStringSubmatch(text(n.Args, 0)); ok && m != nil && text(call.Args, 0) == "X-Amz-Target" {
				s.Shape = m[1]
			}
		}
	case *ast.CompositeLit:
		if sel, ok := n.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "XMLNamespace" {
			s.Namespace = first(s.Namespace, member(n, "URI"))
		}
	}
	return true
}

// member returns the string of a field in a composite literal.
func member(e ast.Expr, field string) string {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == field {
			return text([]ast.Expr{kv.Value}, 0)
		}
	}
	return ""
}

// text returns the i-th argument if it is a string, else "".
func text(args []ast.Expr, i int) string {
	if i >= len(args) {
		return ""
	}
	lit, ok := args[i].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	return strings.Trim(lit.Value, "\"`")
}

func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
