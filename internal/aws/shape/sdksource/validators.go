package sdksource

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
)

// Validated reads the table a second time: from the checks that the SDK's client
// makes of its own inputs. It lacks what no input of an operation holds, and
// members that can't say that they aren't there.
func Validated(dir string) (Table, error) {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "validators.go"), nil, 0)
	if err != nil {
		return nil, err
	}
	table := Table{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || fn.Type.Params.NumFields() != 1 {
			continue
		}
		name := ""
		if p, ok := fn.Type.Params.List[0].Type.(*ast.StarExpr); ok {
			switch t := p.X.(type) {
			case *ast.Ident:
				name = "ecs." + t.Name
			case *ast.SelectorExpr:
				name = t.X.(*ast.Ident).Name + "." + t.Sel.Name
			}
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "NewErrParamRequired" {
				if s, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value); err == nil {
					table[name] = append(table[name], s)
				}
			}
			return true
		})
	}
	return table, nil
}
