package fleet

import (
	"regexp"
	"strings"
)

// MaxAttributes is ECS's limit of attributes of a resource. Attributes of the agent and
// of Ashore don't count.
const MaxAttributes = 10

var (
	attributeName  = regexp.MustCompile(`^[A-Za-z0-9_/\\.-]{1,128}$`)
	attributeValue = regexp.MustCompile(`^[A-Za-z0-9_.@/\\: -]{1,128}$`)
)

// ValidAttributeName says whether ECS allows an attribute's name.
func ValidAttributeName(name string) bool { return attributeName.MatchString(name) }

// ValidAttributeValue says whether ECS allows an attribute's value.
func ValidAttributeValue(v string) bool {
	return attributeValue.MatchString(v) && v[0] != ' ' && v[len(v)-1] != ' '
}

// IsAgentAttribute says whether only the agent may set an attribute.
func IsAgentAttribute(name string) bool {
	return strings.HasPrefix(name, "ecs.") || strings.HasPrefix(name, "com.amazonaws.")
}
