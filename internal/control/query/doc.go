// Package query parses ECS's cluster query language: the filter of
// ListContainerInstances and the expression of a memberOf placement constraint.
//
//	expression = term { "or" term }          "||" too
//	term       = factor { "and" factor }     "&&" too
//	factor     = "not" factor | "(" expression ")" | condition    "!" too
//	condition  = subject "exists" | subject "not_exists"
//	           | subject compare value | subject "matches" pattern
//	           | subject "in" "[" value { "," value } "]"
//
// not binds closest, then and, then or. A value is a word or quoted; quotes have no
// escapes. A negative operator is the complement of its positive one: if an attribute
// is missing, "!=" is true. task:group has as many values as the host has tasks: it
// equals a value if one of them does.
//
// Patterns are RE2's and must match the whole value. The developer guide has Java's
// patterns, whose look-around and back references cost unbounded time.
package query
