package main

import (
	"go/ast"
	"go/token"
	"strings"

	"github.com/ashore/ashore/internal/aws/model"
)

// readNames reads the wire names of a struct's members from the serializers and
// deserializers of an older module:
//
//	func awsRestjson1_serializeDocumentTag(v *types.Tag, value smithyjson.Value) error {
//		if v.Key != nil {
//			ok := object.Key("Key")
//
//	func awsRestjson1_deserializeDocumentTag(v **types.Tag, value interface{}) error {
//		case "Key":
//			sv.Key = …
func (s *Source) readNames(d *ast.FuncDecl) {
	if d.Recv != nil || d.Type.Params.NumFields() < 2 {
		return
	}
	switch name := d.Name.Name; {
	case strings.Contains(name, "_serializeDocument") || strings.Contains(name, "_serializeOpDocument"):
		st := structOf(d, 1)
		for _, stmt := range d.Body.List {
			if member := fieldIn(stmt, "v"); st != "" && member != "" {
				ast.Inspect(stmt, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && called(call) == "Key" {
						s.name(st, member, text(call.Args, 0))
						return false
					}
					return true
				})
			}
		}
	case strings.Contains(name, "_deserializeDocument") || strings.Contains(name, "_deserializeOpDocument"):
		st := structOf(d, 2)
		ast.Inspect(d, func(n ast.Node) bool {
			c, ok := n.(*ast.CaseClause)
			if !ok || st == "" || len(c.List) != 1 {
				return true
			}
			if lit, ok := c.List[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				for _, stmt := range c.Body {
					if member := fieldIn(stmt, "sv"); member != "" {
						s.name(st, member, text(c.List, 0))
					}
				}
			}
			return true
		})
	}
}

func (s *Source) name(st, member, name string) {
	if name == "" || name == model.LowerFirst(member) {
		return
	}
	if s.Names[st] == nil {
		s.Names[st] = map[string]string{}
	}
	s.Names[st][member] = name
}

// structOf returns the struct to which a function's first parameter points, with the
// given number of stars. The name is in the form of the tables.
func structOf(d *ast.FuncDecl, stars int) string {
	t := d.Type.Params.List[0].Type
	for range stars {
		star, ok := t.(*ast.StarExpr)
		if !ok {
			return ""
		}
		t = star.X
	}
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.SelectorExpr:
		return "types." + t.Sel.Name
	}
	return ""
}
