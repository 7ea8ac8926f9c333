package iam

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func context(pairs ...string) func(string) []string {
	return func(key string) []string {
		var values []string
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == key {
				values = append(values, pairs[i+1])
			}
		}
		return values
	}
}

func conditions(operator, key string, values ...string) map[string]map[string][]string {
	return map[string]map[string][]string{operator: {key: values}}
}

func TestMatches(t *testing.T) {
	for _, x := range []struct {
		pattern, text string
		fold, want    bool
	}{
		{"", "", false, true}, {"", "a", false, false}, {"a", "", false, false}, {"*", "", false, true}, {"?", "", false, false},
		{"*", "anything", false, true}, {"a*", "abc", false, true}, {"*c", "abc", false, true}, {"a*c", "ac", false, true},
		{"a*c", "abcd", false, false}, {"a?c", "abc", false, true}, {"a?c", "ac", false, false}, {"*a*b", "xaxxab", false, true},
		{"*ab", "aab", false, true}, {"a*b*c", "a-b-b-d", false, false}, {"**", "x", false, true}, {"?*", "", false, false},
		{"a?c", "aäc", false, true}, {"*?", "ä", false, true}, {"*b", "ääb", false, true},
		{"abc", "ABC", false, false}, {"aBc", "AbC", true, true}, {"ä", "Ä", true, false}, // A to Z only
	} {
		if got := matches(x.pattern, x.text, x.fold); got != x.want {
			t.Errorf("%q on %q: %v", x.pattern, x.text, got)
		}
	}
}

func TestDecide(t *testing.T) {
	const task = "arn:aws:ecs:us-east-1:1:task/c/abc"
	yes := Statement{Sid: "yes", Effect: Allow, Action: []string{"*"}, Resource: []string{"*"}}
	no := func(s Statement) Statement { s.Effect, s.Sid = Deny, "no"; return s }
	on := func(action, resource string) Statement {
		return Statement{Effect: Allow, Action: []string{action}, Resource: []string{resource}}
	}
	when := func(c map[string]map[string][]string) Statement {
		s := yes
		s.Condition = c
		return s
	}
	for _, x := range []struct {
		name       string
		statements []Statement
		action     string
		resource   string
		context    []string
		allowed    bool
		explicit   bool
	}{
		{name: "nothing is said", action: "ecs:RunTask", resource: task},
		{name: "all", statements: []Statement{yes}, action: "ecs:RunTask", resource: task, allowed: true},
		{name: "all, of no resource", statements: []Statement{yes}, action: "ecs:ListClusters", resource: "*", allowed: true},
		{name: "the action by its case", statements: []Statement{on("ECS:runtask", "*")}, action: "ecs:RunTask", resource: task, allowed: true},
		{name: "actions by a wildcard", statements: []Statement{on("ecs:Describe*", "*")}, action: "ecs:DescribeTasks", resource: task, allowed: true},
		{name: "another action", statements: []Statement{on("ecs:Describe*", "*")}, action: "ecs:RunTask", resource: task},
		{name: "another service", statements: []Statement{on("ecs:*", "*")}, action: "ecr:GetImage", resource: "*"},
		{name: "the resource", statements: []Statement{on("*", task)}, action: "ecs:RunTask", resource: task, allowed: true},
		{name: "resources have case", statements: []Statement{on("*", strings.ToUpper(task[4:]))}, action: "ecs:RunTask", resource: task},
		{name: "resources by a wildcard", statements: []Statement{on("*", "arn:*:ecs:us-*:?:task/*/*")}, action: "ecs:RunTask", resource: task, allowed: true},
		{name: "no wildcard reaches over a colon", statements: []Statement{on("*", "arn:aws:ecs:*:task/c/abc")}, action: "ecs:RunTask", resource: task},
		{name: "but in the last part", statements: []Statement{on("*", "arn:aws:logs:us-east-1:1:log-group*")}, action: "logs:PutLogEvents", resource: "arn:aws:logs:us-east-1:1:log-group:/ecs:log-stream:a", allowed: true},
		{name: "a named resource of a call without one", statements: []Statement{on("*", "arn:aws:ecs:*:*:*")}, action: "ecs:ListClusters", resource: "*"},
		{name: "a resource that is no ARN", statements: []Statement{on("*", "arn:aws:ecs:*:*:*")}, action: "ecs:RunTask", resource: "task"},

		{name: "a denial wins", statements: []Statement{yes, no(yes)}, action: "ecs:RunTask", resource: task, explicit: true},
		{name: "also before", statements: []Statement{no(yes), yes}, action: "ecs:RunTask", resource: task, explicit: true},
		{name: "of another action", statements: []Statement{yes, no(on("ecs:StopTask", "*"))}, action: "ecs:RunTask", resource: task, allowed: true},

		{name: "all of a service", statements: []Statement{on("s3:*", "*")}, action: "s3:*", resource: "*", allowed: true},
		{name: "a part of a service is not all", statements: []Statement{on("s3:Get*", "*"), on("s3:?", "*")}, action: "s3:*", resource: "*"},
		{name: "a named resource is not all", statements: []Statement{on("s3:*", "arn:aws:s3:::b/*")}, action: "s3:*", resource: "*"},
		{name: "all but a part", statements: []Statement{yes, no(on("S3:DeleteObject", "arn:aws:s3:::b/*"))}, action: "s3:*", resource: "*", explicit: true},
		{name: "all but a part of another", statements: []Statement{yes, no(on("sqs:*", "*"))}, action: "s3:*", resource: "*", allowed: true},

		{name: "equal", statements: []Statement{when(conditions("StringEquals", "ecs:CreateAction", "a", "b"))}, action: "a:b", resource: "*", context: []string{"ecs:createaction", "b"}, allowed: true},
		{name: "not equal by case", statements: []Statement{when(conditions("StringEquals", "k", "a"))}, action: "a:b", resource: "*", context: []string{"k", "A"}},
		{name: "no such key", statements: []Statement{when(conditions("StringEquals", "k", "a"))}, action: "a:b", resource: "*"},
		{name: "if it exists", statements: []Statement{when(conditions("StringEqualsIfExists", "k", "a"))}, action: "a:b", resource: "*", allowed: true},
		{name: "if it exists, and is another", statements: []Statement{when(conditions("StringEqualsIfExists", "k", "a"))}, action: "a:b", resource: "*", context: []string{"k", "b"}},
		{name: "unequal", statements: []Statement{when(conditions("StringNotEquals", "k", "a", "b"))}, action: "a:b", resource: "*", context: []string{"k", "c"}, allowed: true},
		{name: "unequal to none", statements: []Statement{when(conditions("StringNotEquals", "k", "a", "b"))}, action: "a:b", resource: "*", context: []string{"k", "b"}},
		{name: "unequal, no such key", statements: []Statement{when(conditions("StringNotEquals", "k", "a"))}, action: "a:b", resource: "*", allowed: true},
		{name: "like", statements: []Statement{when(conditions("StringLike", "k", "a*"))}, action: "a:b", resource: "*", context: []string{"k", "abc"}, allowed: true},
		{name: "equals has no wildcards", statements: []Statement{when(conditions("StringEquals", "k", "a*"))}, action: "a:b", resource: "*", context: []string{"k", "abc"}},
		{name: "an ARN", statements: []Statement{when(conditions("ArnLike", "k", "arn:aws:iam::*:user/*"))}, action: "a:b", resource: "*", context: []string{"k", "arn:aws:iam::1:user/a"}, allowed: true},
		{name: "no ARN", statements: []Statement{when(conditions("ArnLike", "k", "arn:aws:iam::*:user/*"))}, action: "a:b", resource: "*", context: []string{"k", "a"}},
		{name: "not an ARN like it", statements: []Statement{when(conditions("ArnNotLike", "k", "arn:aws:iam::*:user/*"))}, action: "a:b", resource: "*", context: []string{"k", "arn:aws:iam::1:role/a"}, allowed: true},
		{name: "true", statements: []Statement{when(conditions("Bool", "k", "true"))}, action: "a:b", resource: "*", context: []string{"k", "True"}, allowed: true},
		{name: "false", statements: []Statement{when(conditions("Bool", "k", "true"))}, action: "a:b", resource: "*", context: []string{"k", "false"}},
		{name: "true if it exists", statements: []Statement{when(conditions("BoolIfExists", "k", "true"))}, action: "a:b", resource: "*", allowed: true},
		{name: "absent", statements: []Statement{when(conditions("Null", "k", "true"))}, action: "a:b", resource: "*", allowed: true},
		{name: "not absent", statements: []Statement{when(conditions("Null", "k", "true"))}, action: "a:b", resource: "*", context: []string{"k", ""}},
		{name: "there", statements: []Statement{when(conditions("Null", "k", "false"))}, action: "a:b", resource: "*", context: []string{"k", "x", "k", "y"}, allowed: true},
		{name: "all conditions", statements: []Statement{when(map[string]map[string][]string{"Bool": {"k": {"true"}}, "StringEquals": {"l": {"a"}}})}, action: "a:b", resource: "*", context: []string{"k", "true", "l", "b"}},

		// A statement that is not understood allows nothing, and denies.
		{name: "several values", statements: []Statement{when(conditions("StringEquals", "k", "a"))}, action: "a:b", resource: "*", context: []string{"k", "a", "k", "a"}},
		{name: "several values, negated", statements: []Statement{when(conditions("StringNotEquals", "k", "a"))}, action: "a:b", resource: "*", context: []string{"k", "b", "k", "c"}},
		{name: "several values of a denial", statements: []Statement{yes, no(when(conditions("StringEquals", "k", "a")))}, action: "a:b", resource: "*", context: []string{"k", "b", "k", "c"}, explicit: true},
		{name: "an operator", statements: []Statement{when(conditions("DateLessThan", "k", "2026-01-01"))}, action: "a:b", resource: "*", context: []string{"k", "2025-01-01"}},
		{name: "an operator of a denial", statements: []Statement{yes, no(when(conditions("ForAnyValue:StringEquals", "k", "a")))}, action: "a:b", resource: "*", explicit: true},
		{name: "an operator of a denial of something else", statements: []Statement{yes, no(Statement{Action: []string{"s3:*"}, Resource: []string{"*"}, Condition: conditions("IpAddress", "k", "::1")})}, action: "a:b", resource: "*", allowed: true},
		{name: "an effect", statements: []Statement{{Effect: "Perhaps", Action: []string{"*"}, Resource: []string{"*"}}, yes}, action: "a:b", resource: "*", explicit: true},
		{name: "no action", statements: []Statement{{Effect: Allow, Resource: []string{"*"}}}, action: "a:b", resource: "*"},
		{name: "a denial without an action", statements: []Statement{yes, {Effect: Deny, Resource: []string{"*"}}}, action: "a:b", resource: "*", explicit: true},
		{name: "any service's action", statements: []Statement{on("*:RunTask", "*")}, action: "ecs:RunTask", resource: "*"},
		{name: "a resource", statements: []Statement{on("*", "task/*")}, action: "ecs:RunTask", resource: "task/a"},
		{name: "a variable", statements: []Statement{on("*", "arn:aws:ecs:::${aws:username}")}, action: "ecs:RunTask", resource: "arn:aws:ecs:::${aws:username}"},
		{name: "a variable in a condition", statements: []Statement{when(conditions("StringEquals", "k", "${aws:username}"))}, action: "a:b", resource: "*", context: []string{"k", "${aws:username}"}},
		{name: "a resource of a denial", statements: []Statement{yes, no(on("*", "task/*"))}, action: "ecs:RunTask", resource: "*", explicit: true},
		{name: "a truth", statements: []Statement{when(conditions("Bool", "k", "yes"))}, action: "a:b", resource: "*", context: []string{"k", "yes"}},
	} {
		p, _ := New("p", x.statements...)
		d := Decide([]*Policy{p}, Request{Action: x.action, Resource: x.resource, Context: context(x.context...)})
		if d.Allowed != x.allowed || d.Explicit() != x.explicit {
			t.Errorf("%s: %+v", x.name, d)
		}
	}
}

// Policies apply together, in any order. The decision names the statement that decided.
func TestDecideBySeveral(t *testing.T) {
	a, _ := New("a", Statement{Sid: "A", Effect: Allow, Action: []string{"ecs:*"}, Resource: []string{"*"}})
	b, _ := New("b", Statement{Sid: "B", Effect: Deny, Action: []string{"ecs:StopTask"}, Resource: []string{"*"}})
	for _, all := range [][]*Policy{{a, b}, {b, a}} {
		if d := Decide(all, Request{Action: "ecs:RunTask", Resource: "*"}); d != (Decision{true, "a", "A"}) {
			t.Errorf("%+v", d)
		}
		if d := Decide(all, Request{Action: "ecs:StopTask", Resource: "*"}); d != (Decision{false, "b", "B"}) {
			t.Errorf("%+v", d)
		}
		if d := Decide(all, Request{Action: "s3:GetObject", Resource: "*"}); d != (Decision{}) {
			t.Errorf("%+v", d)
		}
	}
}

// New's error names everything that it does not understand.
func TestNewSaysWhatIsUnclear(t *testing.T) {
	_, err := New("p", Statement{Sid: "S", Effect: "Maybe", Action: []string{"RunTask"}, Resource: []string{"task"}, Condition: conditions("Often", "k", "v")})
	for _, want := range []string{"policy p: statement 1 S", `"Maybe"`, `"RunTask"`, `"task"`, `"Often"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, without %s", err, want)
		}
	}
	if _, err := New("p", Statement{Effect: Deny, Action: []string{"ecs:Run?ask"}, Resource: []string{"arn:aws:ecs:*:*:*"}, Condition: conditions("StringNotLikeIfExists", "k", "v*")}); err != nil {
		t.Error(err)
	}
}

// A key's value is only asked for if the statement names the action and the resource,
// because the answer may need a read of the state.
func TestKeysAreAskedForWhenTheyMatter(t *testing.T) {
	p, err := New("p",
		Statement{Effect: Allow, Action: []string{"a:Other"}, Resource: []string{"*"}, Condition: conditions("Bool", "one", "true")},
		Statement{Effect: Allow, Action: []string{"a:This"}, Resource: []string{"arn:aws:a:::other"}, Condition: conditions("Bool", "two", "true")},
		Statement{Effect: Allow, Action: []string{"a:This"}, Resource: []string{"*"}, Condition: conditions("Bool", "Three", "true")},
		Statement{Effect: Allow, Action: []string{"a:This"}, Resource: []string{"*"}, Condition: conditions("Bool", "four", "true")}, // the request is already allowed here
	)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	d := Decide([]*Policy{p}, Request{Action: "a:This", Resource: "*", Context: func(key string) []string {
		asked = append(asked, key)
		return []string{"true"}
	}})
	if !d.Allowed || !slices.Equal(asked, []string{"three"}) {
		t.Errorf("%+v, asked for %q", d, asked)
	}
}

// The two ways of matching agree.
func FuzzMatches(f *testing.F) {
	f.Add("a*b?c", "aXbXc")
	f.Add("**a", "aaa")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 24 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		if got, want := matches(pattern, text, false), slow([]rune(pattern), []rune(text)); got != want {
			t.Errorf("%q on %q: %v, want %v", pattern, text, got, want)
		}
	})
}

func slow(pattern, text []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '*':
		return slow(pattern[1:], text) || len(text) > 0 && slow(pattern, text[1:])
	case len(text) == 0:
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && slow(pattern[1:], text[1:])
}

func BenchmarkDecide(b *testing.B) {
	p, err := New("p",
		Statement{Effect: Allow, Action: []string{"ecs:Poll", "ecs:StartTelemetrySession"}, Resource: []string{"arn:*:ecs:us-east-1:1:container-instance/*/*"}, Condition: conditions("Bool", "own", "true")},
		Statement{Effect: Allow, Action: []string{"ecs:SubmitTaskStateChange"}, Resource: []string{"arn:*:ecs:us-east-1:1:task/*/*"}, Condition: conditions("BoolIfExists", "own", "true")},
	)
	if err != nil {
		b.Fatal(err)
	}
	own := []string{"true"}
	b.ReportAllocs()
	for b.Loop() {
		if !Decide([]*Policy{p}, Request{Action: "ecs:SubmitTaskStateChange", Resource: "arn:aws:ecs:us-east-1:1:task/c/abc", Context: func(string) []string { return own }}).Allowed {
			b.Fatal("denied")
		}
	}
}
