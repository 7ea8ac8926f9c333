package query

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// MaxLength is ECS's limit for the length of an expression, in characters.
const MaxLength = 2000

// Error says where an expression is wrong, and why.
type Error struct {
	Position int // of the first wrong character, from 1
	Reason   string
}

func (e *Error) Error() string { return fmt.Sprintf("at position %d: %s", e.Position, e.Reason) }

type orClause struct {
	Terms []*andClause `parser:"@@ (Or @@)*"`
}

type andClause struct {
	Factors []*factor `parser:"@@ (And @@)*"`
}

type factor struct {
	Not   *factor    `parser:"  Not @@"`
	Group *orClause  `parser:"| LParen @@ RParen"`
	Cond  *condition `parser:"| @@"`
}

type condition struct {
	Pos     lexer.Position
	Subject string  `parser:"@Subject"`
	Exists  string  `parser:"( @Exists"`
	Op      string  `parser:"| @Compare"`
	Value   *text   `parser:"  @@"`
	Match   string  `parser:"| @Match"`
	Pattern *text   `parser:"  @@"`
	In      string  `parser:"| @In"`
	List    []*text `parser:"  LBrack @@ (Comma @@)* RBrack )"`
}

type text struct {
	Pos  lexer.Position
	Text string `parser:"@(Word | PatternWord | Quoted)"`
}

// unquoted returns the text without its quotes.
func (t *text) unquoted() string {
	if strings.HasPrefix(t.Text, "'") || strings.HasPrefix(t.Text, `"`) {
		return t.Text[1 : len(t.Text)-1]
	}
	return t.Text
}

var grammar = participle.MustBuild[orClause](participle.Lexer(tokens))

// Parse parses an expression. Its errors are *Error.
func Parse(s string) (*Expr, error) {
	if strings.TrimSpace(s) == "" {
		return nil, &Error{1, `the expression is empty; expected a subject, "not" or "("`}
	}
	if n := utf8.RuneCountInString(s); n > MaxLength {
		return nil, &Error{MaxLength + 1, fmt.Sprintf("the expression has %d characters; it can have at most %d", n, MaxLength)}
	}
	tree, err := grammar.ParseString("", s)
	if err != nil {
		return nil, syntaxError(s, err)
	}
	c := compiler{source: s}
	root, err := c.or(tree)
	if err != nil {
		return nil, err
	}
	return &Expr{root}, nil
}

// syntaxError converts the parser's error: it names what was found, and what may
// stand there. The parser may stop a token too early, so syntaxError looks for the
// first token that is not allowed where it is.
func syntaxError(s string, err error) error {
	var at participle.Error
	if !errors.As(err, &at) {
		return &Error{1, err.Error()}
	}
	offset := at.Position().Offset
	list, err := lexAll(s)
	if err != nil {
		return &Error{position(s, offset), at.Message()}
	}
	names := lexer.SymbolsByRune(tokens)
	after, inList, open := "", false, 0
	for _, t := range list {
		name := names[t.Type]
		if inList && (name == "Word" || name == "Quoted") {
			name = "Element"
		}
		if may, words := expectedAfter(after, open); !slices.Contains(may, name) {
			found := "the end"
			if !t.EOF() {
				found = strconv.Quote(t.Value)
			}
			return &Error{position(s, t.Pos.Offset), fmt.Sprintf("found %s; expected %s", found, words)}
		}
		switch after = name; name {
		case "LParen":
			open++
		case "RParen":
			open--
		}
		inList = name == "LBrack" || (inList && name != "RBrack")
	}
	return &Error{position(s, offset), at.Message()}
}

func lexAll(s string) ([]lexer.Token, error) {
	l, err := tokens.LexString("", s)
	if err != nil {
		return nil, err
	}
	return lexer.ConsumeAll(l)
}

// position converts an offset in bytes into a position in characters, from 1.
func position(s string, offset int) int {
	return utf8.RuneCountInString(s[:min(offset, len(s))]) + 1
}
