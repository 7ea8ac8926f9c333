package fleet

import (
	"regexp"
	"strings"
)

// ECS's rules for attributes, and its limit of those that are neither the agent's
// nor Ashore's for a resource.
const MaxAttributes = 10

var (
	attributeName  = regexp.MustCompile(`^[A-Za-z0-9_/\\.-]{1,128}$`)
	attributeValue = regexp.MustCompile(`^[A-Za-z0-9_.@/\\: -]{1,128}$`)
)

// ValidAttributeName says whether an attribute may have a name.
func ValidAttributeName(name string) bool { return attributeName.MatchString(name) }

// ValidAttributeValue says whether an attribute may have a value.
func ValidAttributeValue(v string) bool {
	return attributeValue.MatchString(v) && v[0] != ' ' && v[len(v)-1] != ' '
}

// IsAgentAttribute says whether an attribute is the agent's to set.
func IsAgentAttribute(name string) bool {
	return strings.HasPrefix(name, "ecs.") || strings.HasPrefix(name, "com.amazonaws.")
}
