package query

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"
)

// pretended is a host with given values; its zero value has none.
type pretended struct {
	connected  bool
	version    string
	id         string
	running    int
	registered time.Time
	attributes map[string]string
	groups     []string
}

func (p pretended) Agent() (string, bool)    { return p.version, p.connected }
func (p pretended) EC2InstanceID() string    { return p.id }
func (p pretended) RunningTasks() int        { return p.running }
func (p pretended) RegisteredAt() time.Time  { return p.registered }
func (p pretended) Groups() iter.Seq[string] { return slices.Values(p.groups) }
func (p pretended) Attribute(name string) (string, bool) {
	v, ok := p.attributes[name]
	return v, ok
}

var host = pretended{
	connected: true, version: "1.100.2", id: "i-0abc", running: 3,
	registered: time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC),
	attributes: map[string]string{
		"ecs.instance-type": "g2.2xlarge", "ecs.availability-zone": "us-east-1a", "stack": "prod", "empty": "", "slots": "12",
		"name": "two words", "path/to": `a\b`,
	},
	groups: []string{"service:web", "database"},
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		expr string
		want bool
	}{
		// The developer guide's examples.
		{"attribute:ecs.instance-type == t2.small", false},
		{"attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", true},
		{"task:group == service:production", false},
		{"task:group == service:web", true},
		{"not(task:group == database)", false},
		{"runningTasksCount == 1", false},
		{"agentVersion < 1.22.0", false},
		{"registeredAt < 2018-02-13T00:00:00+00:00", false},
		{"ec2InstanceId in ['i-0abc', 'i-wxyx7890']", true},
		{"attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d", true},

		{"attribute:stack == prod", true},
		{"attribute:stack equals prod", true},
		{"attribute:stack==prod&&agentConnected==true", true},
		{"attribute:stack == 'prod'", true},
		{`attribute:stack == "prod"`, true},
		{"attribute:name == 'two words'", true},
		{`attribute:path/to == a\b`, true},
		{"attribute:stack != prod", false},
		{"attribute:stack not_equals test", true},
		{"attribute:empty == ''", true},
		{"attribute:none == ''", false},
		{"attribute:none != x", true},
		{"attribute:none exists", false},
		{"attribute:none !exists", true},
		{"attribute:none not_exists", true},
		{"attribute:empty exists", true},
		{"attribute:none !in [a]", true},
		{"attribute:stack not_in [prod, test]", false},
		{"attribute:stack !~ p.*", false},
		{"attribute:none not_matches p.*", true},
		{"attribute:stack =~ pro", false}, // the whole value
		{"attribute:stack matches pro.", true},
		{"attribute:stack =~ pr[a-p]d", true},
		{"attribute:stack =~ test|prod", true},
		{"attribute:stack =~ 'te(st|ts)|pr(o)d'", true},
		{"(attribute:stack =~ prod)", true},
		{"attribute:slots > 9", true}, // as numbers
		{"attribute:slots greater_than_equal 12", true},
		{"attribute:slots less_than 12", false},
		{"attribute:slots less_than_equal 12.0", true},
		{"attribute:stack > prod", false},
		{"attribute:stack >= prod", true},

		{"agentConnected == true", true},
		{"agentConnected==false", false},
		{"agentConnected != false", true},
		{"agentConnected in [true, false]", true},
		{"agentConnected =~ t.*", true},
		{"agentVersion > 1.22.0", true},
		{"agentVersion >= v1.100.2", true},
		{"agentVersion == 1.100.2-rc1", true},
		{"agentVersion != 1.100", true},
		{"agentVersion <= 2", true},
		{"ec2InstanceId =~ i-.*", true},
		{"ec2InstanceId == i-1", false},
		{"registeredAt > 2026-03-04", true},
		{"registeredAt == 2026-03-04T05:06:07", true},
		{"registeredAt >= 2026-03-04T05:06:08Z", false},
		{"registeredAt == 2026-03-04T06:06:07+01:00", true},
		{"runningTasksCount >= 3", true},
		{"runningTasksCount < 3", false},
		{"task:group != database", false},
		{"task:group in [a, database]", true},
		{"task:group =~ service:.*", true},
		{"task:group exists", true},

		// Precedence: not, and, or.
		{"attribute:stack == prod or attribute:none exists and attribute:none exists", true},
		{"(attribute:stack == prod or attribute:none exists) and attribute:none exists", false},
		{"not attribute:none exists and attribute:stack == prod", true},
		{"!attribute:stack == prod || !!agentConnected == true", true},
		{"not not attribute:stack == prod", true},
		{"attribute:none exists || (attribute:stack == prod && (agentConnected == true))", true},
		{"  attribute:stack\n==\tprod ", true},
	} {
		e, err := Parse(c.expr)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := e.Matches(host); got != c.want {
			t.Errorf("%s: %v, want %v", c.expr, got, c.want)
		}
		again, err := Parse(e.String())
		if err != nil || again.String() != e.String() || again.Matches(host) != c.want {
			t.Errorf("%s: as text it is %s, which reads as %v, %v", c.expr, e, again, err)
		}
	}
}

// What a host doesn't show meets no positive operator.
func TestMatchesNothingKnown(t *testing.T) {
	for expr, want := range map[string]bool{
		"agentVersion >= 0": false, "agentVersion != 1": true, "ec2InstanceId =~ .*": false, "ec2InstanceId != x": true,
		"task:group exists": false, "task:group != x": true, "attribute:a exists": false, "runningTasksCount == 0": true, "agentConnected == false": true,
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if e.Matches(pretended{}) != want {
			t.Errorf("%s: want %v", expr, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		expr   string
		at     int
		reason string
	}{
		{"", 1, "empty"},
		{"   ", 1, "empty"},
		{"attribute:stack", 16, "found the end; expected an operator"},
		{"attribute:stack = prod", 17, `found "="; expected an operator`},
		{"attribute:stack is prod", 17, `found "is"; expected an operator`},
		{"attribute:stack == ", 20, "found the end; expected a value"},
		{"attribute:stack == (", 20, `found "("; expected a value`},
		{"attribute:stack == a b", 22, `found "b"; expected "and", "or"`},
		{"attribute:stack in prod", 20, `found "prod"; expected [`},
		{"attribute:stack in [prod", 25, `found the end; expected "," or "]"`},
		{"attribute:stack in [a b]", 23, `found "b"; expected "," or "]"`},
		{"attribute:stack in []", 21, `found "]"; expected a value`},
		{"attribute:stack in [a,]", 23, `found "]"; expected a value`},
		{"attribute:stack =~ (a)", 20, `found "("; expected a pattern`},
		{"attribute:stack =~ a[", 20, "is not a pattern"},
		{"attribute:stack =~ '(a'", 20, "is not a pattern"},
		{`attribute:stack =~ '(a)\1'`, 20, "is not a pattern"},
		{`attribute:stack =~ '(?=a)'`, 20, "is not a pattern"},
		{"attribute:stack =~ '((a{100}){100})'", 20, "is not a pattern"},
		{"attribute:stack =~ '[a-cx-z]{900}'", 20, "repeats too much"},
		{"attribute:stack =~ " + strings.Repeat("a", 257), 20, "at most 256"},
		{"attribute:stack == 'a", 20, `found "'"; expected a value`},
		{"(attribute:stack == a", 22, `found the end; expected "and", "or" or ")"`},
		{"attribute:stack == a)", 21, `found ")"; expected "and", "or"`},
		{"attribute:stack == a and", 25, `found the end; expected a subject, "not" or "("`},
		{"attribute:stack == a AND attribute:b exists", 22, `found "AND"`},
		{"and attribute:b exists", 1, `found "and"; expected a subject`},
		{"attribute: == a", 11, "is not the name of an attribute"},
		{"attribute:a$b == a", 11, "is not the name of an attribute"},
		{"foo == a", 1, `"foo" is not a subject`},
		{"agentConnected == a or foo == b", 19, "expected true or false"},
		{"agentConnected in [true, x]", 26, "expected true or false"},
		{"agentConnected > true", 1, "does not take the operator >"},
		{"agentVersion in [1]", 1, "does not take the operator in"},
		{"agentVersion > x", 16, "expected a version"},
		{"registeredAt > yesterday", 16, "expected a time"},
		{"runningTasksCount == many", 22, "expected a number"},
		{"runningTasksCount exists", 1, "does not take the operator exists"},
		{"task:group > a", 1, "does not take the operator >"},
		{"attribute:größe == ä", 11, "is not the name of an attribute"},
		{"attribute:g == ä b", 18, `found "b"`},
		{strings.Repeat("x", 2001), 2001, "at most 2000"},
	} {
		_, err := Parse(c.expr)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, want an Error", c.expr, err)
			continue
		}
		if e.Position != c.at || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("%s: %v, want %d: %s", c.expr, e, c.at, c.reason)
		}
	}
}

func TestDeepNesting(t *testing.T) {
	const tail = "agentConnected==true"
	n := (MaxLength - len(tail)) / 2
	e, err := Parse(strings.Repeat("(", n) + tail + strings.Repeat(")", n))
	if err != nil || !e.Matches(host) {
		t.Fatal(e, err)
	}
	if e, err = Parse(strings.Repeat("!", MaxLength-len(tail)) + tail); err != nil || !e.Matches(host) {
		t.Fatal(err)
	}
}

func TestCompiled(t *testing.T) {
	a, err := ParseCached("agentConnected == true")
	b, err2 := ParseCached("agentConnected == true")
	if err != nil || err2 != nil || a != b {
		t.Error(a, b, err, err2)
	}
	if _, err := ParseCached("nonsense"); err == nil {
		t.Error("no error")
	}
	for i := range cacheSize + 10 {
		if _, err := ParseCached("runningTasksCount == " + strings.Repeat("0", i%40) + strings.Repeat("1", 1+i%9) + strings.Repeat(" ", i/40)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(cache.exprs); n > cacheSize {
		t.Errorf("%d expressions are kept", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"attribute:a == b", "not (task:group =~ 'x|(y)' or attribute:a !in [a, \"b c\"]) and agentVersion >= 1.2.3",
		"registeredAt < 2018-06-18", "ec2InstanceId !~ i-.*", "runningTasksCount<=4||agentConnected!=true", "a in [", "attribute:a =~ |b", "attribute:ä == ö",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Position < 1 || at.Position > len(s)+1 {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		held := e.Matches(host)
		again, err := Parse(e.String())
		if err != nil {
			if strings.Contains(err.Error(), "at most") { // the one form may be longer
				return
			}
			t.Fatalf("%q is %q, which is not read: %v", s, e, err)
		}
		if again.String() != e.String() || again.Matches(host) != held {
			t.Fatalf("%q is %q, which is read as %q", s, e, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatches(b *testing.B) {
	e, err := Parse("attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e.Matches(host)
	}
}
