package main

import (
	"go/ast"
	"strings"
)

// places are the encoder's methods that put a member outside of the body.
var places = map[string]string{"SetURI": "InLabel", "SetQuery": "InQuery", "AddQuery": "InQuery", "SetHeader": "InHeader", "AddHeader": "InHeader"}

// readREST reads a REST protocol from the serializers of an older module:
//
//	opPath, opQuery := httpbinding.SplitURI("/schedules/{Name}")
//	request.Method = "POST"
//	if v.GroupName != nil {
//		encoder.SetQuery("ScheduleGroup").String(*v.GroupName)
//	}
func (s *Source) readREST(d *ast.FuncDecl) {
	switch name := d.Name.Name; {
	case d.Recv != nil && name == "HandleSerialize":
		recv, ok := d.Recv.List[0].Type.(*ast.StarExpr)
		if !ok {
			return
		}
		_, op, ok := strings.Cut(recv.X.(*ast.Ident).Name, "_serializeOp")
		if !ok {
			return
		}
		var o Operation
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if called(n) == "SplitURI" {
					o.Path = text(n.Args, 0)
				}
			case *ast.AssignStmt:
				if sel, ok := n.Lhs[0].(*ast.SelectorExpr); ok && sel.Sel.Name == "Method" {
					o.Method = text(n.Rhs, 0)
				}
			}
			return true
		})
		if o.Path != "" && o.Path != "/" {
			r := s.restOf(op)
			r.Method, r.Path = o.Method, o.Path
		}
	case strings.Contains(name, "_serializeOpHttpBindings"):
		_, input, _ := strings.Cut(name, "_serializeOpHttpBindings")
		op := s.restOf(strings.TrimSuffix(input, "Input"))
		for _, stmt := range d.Body.List {
			if member := fieldIn(stmt, "v"); member != "" {
				ast.Inspect(stmt, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && places[called(call)] != "" && len(call.Args) == 1 {
						op.Bound[member] = Binding{places[called(call)], text(call.Args, 0)}
					}
					return true
				})
			}
		}
	}
}

func (s *Source) restOf(op string) *Operation {
	if s.rest[op] == nil {
		s.rest[op] = &Operation{Bound: map[string]Binding{}}
	}
	return s.rest[op]
}

// fieldIn returns the first field of a variable in a statement.
func fieldIn(stmt ast.Stmt, variable string) (member string) {
	ast.Inspect(stmt, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == variable && member == "" {
				member = sel.Sel.Name
			}
		}
		return member == ""
	})
	return member
}

// called returns the name of the called method.
func called(n *ast.CallExpr) string {
	if sel, ok := n.Fun.(*ast.SelectorExpr); ok {
		return sel.Sel.Name
	}
	return ""
}
