package query

import "github.com/alecthomas/participle/v2/lexer"

// tokens are the rules of the lexer. What a word may consist of depends on what comes
// before it, so the lexer has states. Root reads up to a subject, Operator reads what
// follows it, and the others read its argument. Other matches what no other rule
// matches, so that the grammar reports it.
var tokens = lexer.MustStateful(lexer.Rules{
	"Root": {
		{Name: "space", Pattern: `\s+`},
		{Name: "And", Pattern: `&&|and\b`},
		{Name: "Or", Pattern: `\|\||or\b`},
		{Name: "Not", Pattern: `!|not\b`},
		{Name: "LParen", Pattern: `\(`},
		{Name: "RParen", Pattern: `\)`},
		{Name: "Subject", Pattern: `[^\s()\[\],'"&|=!<>~]+`, Action: lexer.Push("Operator")},
		{Name: "Other", Pattern: `(?s:.)`},
	},
	"Operator": {
		{Name: "space", Pattern: `\s+`},
		{Name: "Exists", Pattern: `exists\b|!exists\b|not_exists\b`},
		{Name: "In", Pattern: `in\b|!in\b|not_in\b`, Action: lexer.Push("List")},
		{Name: "Match", Pattern: `=~|!~|matches\b|not_matches\b`, Action: lexer.Push("Pattern")},
		{Name: "Compare", Pattern: `==|!=|>=|<=|>|<|(?:equals|not_equals|(?:greater|less)_than(?:_equal)?)\b`, Action: lexer.Push("Value")},
		lexer.Return(),
	},
	"Value": {
		{Name: "space", Pattern: `\s+`},
		{Name: "Quoted", Pattern: `'[^']*'|"[^"]*"`, Action: lexer.Pop()},
		{Name: "Word", Pattern: bareValue, Action: lexer.Pop()},
		{Name: "Other", Pattern: `(?s:.)`, Action: lexer.Pop()},
	},
	"Pattern": {
		{Name: "space", Pattern: `\s+`},
		{Name: "Quoted", Pattern: `'[^']*'|"[^"]*"`, Action: lexer.Pop()},
		{Name: "PatternWord", Pattern: barePattern, Action: lexer.Pop()},
		{Name: "Other", Pattern: `(?s:.)`, Action: lexer.Pop()},
	},
	"List": {
		{Name: "space", Pattern: `\s+`},
		{Name: "LBrack", Pattern: `\[`},
		{Name: "RBrack", Pattern: `\]`, Action: lexer.Pop()},
		{Name: "Comma", Pattern: `,`},
		{Name: "Quoted", Pattern: `'[^']*'|"[^"]*"`},
		{Name: "Word", Pattern: bareValue},
		{Name: "Other", Pattern: `(?s:.)`},
	},
})

const (
	bareValue = `[^\s()\[\],'"&|=!<>~][^\s()\[\],'"&|]*`
	// A pattern may have more characters than a value. As in ECS parentheses end it,
	// unless it is quoted.
	barePattern = `(?:[^\s()'"&|=!<>~]|\|[^\s()'"&|])(?:[^\s()'"&|]|\|[^\s()'"&|])*`
)

// expectedAfter returns which tokens may follow a token, and the same in words.
// Element is a value within a list. open is the number of parentheses that are not
// closed yet.
func expectedAfter(after string, open int) (tokens []string, words string) {
	switch after {
	case "Subject":
		return []string{"Exists", "In", "Match", "Compare"}, "an operator"
	case "Compare":
		return []string{"Word", "Quoted"}, "a value"
	case "Match":
		return []string{"PatternWord", "Quoted"}, "a pattern"
	case "In":
		return []string{"LBrack"}, "["
	case "LBrack", "Comma":
		return []string{"Element"}, "a value"
	case "Element":
		return []string{"Comma", "RBrack"}, `"," or "]"`
	case "Exists", "Word", "PatternWord", "Quoted", "RBrack", "RParen":
		if open > 0 {
			return []string{"And", "Or", "RParen"}, `"and", "or" or ")"`
		}
		return []string{"And", "Or"}, `"and", "or" or the end`
	}
	return []string{"Subject", "Not", "LParen"}, `a subject, "not" or "("`
}
