// Package test has the tests of the whole: the walls between the packages, the README's
// walk, and suites with real processes.
package test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ashore/ashore/"

type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	Imports, Deps   []string
}

// packages lists the module's packages as built on Linux.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", module+"...")
	cmd.Env = append(cmd.Environ(), "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

// walls say on what a room must not depend, even indirectly. A room is a package and
// everything below it.
var walls = []struct {
	room      string
	forbidden []string
	why       string
}{
	{"internal/fleet", []string{"internal"}, "the nouns import nothing of ours but the form of ARNs"},
	{"internal/iam", []string{"internal"}, "policies are evaluated by data alone"},
	{"internal/agent", []string{"internal/store", "internal/frontdoor", "internal/api", "internal/control", "internal/link", "internal/identity", "internal/seal", "internal/server", "go.etcd.io/etcd"}, "the agent imports nothing of the control plane"},
	{"internal/wire", []string{"internal"}, "messages and connections belong to both sides"},
	{"internal/link", []string{"internal/api", "internal/agent"}, "state is the only meeting point"},
	{"internal/api", []string{"internal/link/", "internal/agent", "github.com/coder/websocket", "github.com/gobwas/ws"}, "handlers never talk to the agent"},
	{"internal/control", []string{"internal/api", "internal/agent", "internal/frontdoor", "internal/link"}, "what decides speaks to nobody"},
	{"internal/ecs", []string{"internal/api", "internal/frontdoor", "internal/identity", "internal/link", "internal/agent", "internal/control/placer", "internal/control/scheduler"}, "ECS's rules don't depend on who asks or decides"},
	{"internal/ecs/definition", []string{"internal/store", "go.etcd.io/etcd"}, "a definition is decided by itself: definition in, decision out"},
	{"internal/ecs/refuse", []string{"internal"}, "how ECS words a refusal needs nothing of ours"},
	{"internal/control/placer", []string{"internal/control/scheduler", "internal/identity"}, "the scheduler calls the placer, and no one is called back"},
	{"internal/control/rows", []string{"internal/ecs", "internal/identity", "internal/control/describe", "internal/control/placer"}, "the watch knows neither what rows are about nor who reads them"},
	{"internal/control/placement", []string{"internal/store"}, "to choose a host is pure: hosts in, choice out"},
	{"internal/control/rollout", []string{"internal/store"}, "what a deployment does next is pure"},
	{"internal/store", []string{"internal/api", "internal/link", "internal/agent", "internal/frontdoor"}, "the store knows nobody above it"},
	{"internal/aws", []string{"internal"}, "speaking AWS needs nothing of ours"},
	{"internal/sample", []string{"github.com/alecthomas", "go.etcd.io", "github.com/aws"}, "the sample program is light"},
	{"internal/sample/early", []string{"github.com/containerd", "github.com/moby"}, "the standard library only, or it is initialised late"},
	{"internal/shellenv", []string{"internal"}, "text in, text out"},
}

// leaf is a package that rooms may import although they import nothing else of ours.
const leaf = "internal/aws/arn"

func TestWalls(t *testing.T) {
	for _, p := range packages(t) {
		for _, w := range walls {
			if !within(p.ImportPath, w.room) {
				continue
			}
			for _, dep := range p.Deps {
				ours := strings.HasPrefix(dep, module)
				dep = strings.TrimPrefix(dep, module)
				if !ours && strings.HasPrefix(dep, "internal/") {
					continue // in the standard library
				}
				for _, f := range w.forbidden {
					if within(dep, f) && !within(dep, w.room) && !(f == "internal" && dep == leaf) {
						t.Errorf("%s depends on %s: %s", p.ImportPath, dep, w.why)
					}
				}
			}
		}
	}
}

// TestTablesStayHidden checks that a package that imports the store does not compile the
// maps of its tables. tab in internal/store/snapshot.go says how the store hides them.
func TestTablesStayHidden(t *testing.T) {
	const room, maps = "internal/store", "github.com/tidwall/btree."
	var users []string
	for _, p := range packages(t) {
		if p.ImportPath != room && slices.Contains(p.Imports, module+room) && len(p.GoFiles) > 0 {
			users = append(users, module+p.ImportPath)
		}
	}
	if len(users) < 10 {
		t.Fatalf("only %q use the store", users)
	}
	cmd := exec.Command("go", append([]string{"list", "-export", "-f", "{{.ImportPath}} {{.Export}}", module + room}, users...)...)
	cmd.Env = append(cmd.Environ(), "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		symbols, err := exec.Command("go", "tool", "nm", file).Output()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if has := strings.Contains(string(symbols), maps); has != (path == module+room) {
			t.Errorf("%s has maps of the store's tables: %v", path, has)
		}
	}
}

// walks are the packages through which a call goes, in order. ARCHITECTURE.md describes
// them. A package of a walk depends on none before it, even indirectly. So a reader who
// follows the walk never turns back.
var walks = []struct {
	name     string
	packages []string
	// declared are imports that lead back nevertheless. With them a package declares to
	// an earlier one what it has, and calls nothing.
	declared [][2]string
}{
	{"RunTask, front door to handler",
		[]string{"internal/server", "internal/frontdoor", "internal/api/ecs", "internal/control/placer", "internal/identity", "internal/store", "internal/fleet"},
		[][2]string{{"internal/api/ecs", "internal/frontdoor"}}},
	{"placing",
		[]string{
			"internal/control/scheduler", "internal/control/placer", "internal/ecs/setting", "internal/ecs/lookup", "internal/ecs/tag", "internal/ecs/definition",
			"internal/control/capacity", "internal/control/placement", "internal/control/query", "internal/control/serviceevent", "internal/store", "internal/fleet",
		}, nil},
}

func TestWalksGoOneWay(t *testing.T) {
	imports := map[string][]string{}
	for _, p := range packages(t) {
		imports[p.ImportPath] = []string{}
		for _, dep := range p.Imports {
			if ours, ok := strings.CutPrefix(dep, module); ok {
				imports[p.ImportPath] = append(imports[p.ImportPath], ours)
			}
		}
	}
	for _, w := range walks {
		for _, d := range w.declared {
			if !slices.Contains(imports[d[0]], d[1]) {
				t.Errorf("%s: %s does not import %s: take it off the list", w.name, d[0], d[1])
			}
		}
		for i, from := range w.packages {
			if imports[from] == nil {
				t.Errorf("%s: there is no package %s", w.name, from)
			}
			seen := map[string]bool{from: true}
			for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
				for _, dep := range imports[queue[0]] {
					if seen[dep] || slices.Contains(w.declared, [2]string{queue[0], dep}) {
						continue
					}
					seen[dep] = true
					queue = append(queue, dep)
				}
			}
			for _, before := range w.packages[:i] {
				if seen[before] {
					t.Errorf("%s: %s depends on %s, which comes before it", w.name, from, before)
				}
			}
		}
	}
}

func within(path, room string) bool {
	if strings.HasSuffix(room, "/") { // only what is below it
		return strings.HasPrefix(path, room)
	}
	return path == room || strings.HasPrefix(path, room+"/")
}

// Nothing depends on a command, or on the package that connects all others.
func TestNothingDependsOnTheWhole(t *testing.T) {
	for _, p := range packages(t) {
		for _, dep := range p.Deps {
			dep = strings.TrimPrefix(dep, module)
			if within(dep, "internal/server") && !within(p.ImportPath, "cmd") && !within(p.ImportPath, "test") &&
				!within(p.ImportPath, "internal/server") && !within(p.ImportPath, "internal/sim") {
				t.Errorf("%s depends on %s", p.ImportPath, dep)
			}
		}
	}
}

func TestEachPackageHasOneComment(t *testing.T) {
	for _, p := range packages(t) {
		var with []string
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil && !isDirective(f.Doc.Text()) {
				with = append(with, name)
			}
		}
		if len(p.GoFiles) > 0 && len(with) != 1 {
			slices.Sort(with)
			t.Errorf("%s: package comments in %v, want one", p.ImportPath, with)
		}
	}
}

// Policies decide about permissions. Only identity, which gives each kind of principal
// its policies, and the front door, which has limits for each kind, may know the kinds.
func TestNoHandlerAsksForAKindOfPrincipal(t *testing.T) {
	for _, p := range packages(t) {
		if within(p.ImportPath, "internal/identity") || within(p.ImportPath, "internal/frontdoor") {
			continue
		}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if of, ok := sel.X.(*ast.Ident); ok && of.Name == "identity" && (sel.Sel.Name == "Host" || sel.Sel.Name == "Admin") {
					t.Errorf("%s asks for identity.%s", filepath.Join(p.ImportPath, name), sel.Sel.Name)
				}
				return true
			})
		}
	}
}

func isDirective(doc string) bool { return strings.TrimSpace(doc) == "" }

// Systems other than Linux get only the client: no control plane, no agent, no engine.
func TestOtherSystemsGetTheClientOnly(t *testing.T) {
	for _, goos := range []string{"darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", module+"cmd/ashore")
		cmd.Env = append(cmd.Environ(), "GOOS="+goos)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{module + "internal/server", module + "internal/agent", module + "internal/store", "go.etcd.io/", "github.com/moby/"} {
			if strings.Contains(string(out), part) {
				t.Errorf("the build for %s contains %s", goos, part)
			}
		}
	}
}
