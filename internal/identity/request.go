package identity

import "strings"

// A Request asks whether a caller may do something.
type Request struct {
	Caller Principal
	Action string // "ecs:RunTask"
	// Resources are ARNs, each of which must be allowed. "*" means that the action has
	// no resource with an ARN. An empty list means "*".
	Resources []string
	// Context returns the values of condition keys that the caller's operation knows,
	// nil for other keys. Key names are in lower case. Context may be nil.
	Context func(key string) []string
	// Tags returns the tags of one of Resources, none if there is no such resource. An
	// error says that they can't be read. Nil: no resource has tags.
	Tags func(resource string) ([]Tag, error)
}

// A Tag is a tag of a resource or of a request, of any service.
type Tag struct{ Key, Value string }

// TagValues returns the values of the tags with a name. The name is in lower case, and
// may match several tags: names of condition keys have no case.
func TagValues(tags []Tag, name string) (values []string) {
	for _, t := range tags {
		if strings.ToLower(t.Key) == name {
			values = append(values, t.Value)
		}
	}
	return values
}

// A Decision says whether a request is allowed, and why.
type Decision struct {
	Allowed bool
	// Resource is the resource that decided: the first denied one.
	Resource string
	// Policy and Statement decided. Both are empty if no statement applies.
	Policy, Statement string
	// UsedRecords reports that the decision depends on records of the state, besides
	// the values that the request's own Context returned. With another state the same
	// policies may decide differently.
	UsedRecords bool

	why    string  // of a denial: the text of the condition that was not met, or ""
	denied *Denied // nil if the request is allowed
}

// Reason returns the decision's reason for the log: "AshoreHost/OwnTask allows",
// "AshoreHost/AnotherAgent denies", "no policy allows".
func (d *Decision) Reason() string {
	switch {
	case d.Policy == "" && d.why != "":
		return "no policy allows: " + d.why
	case d.Policy == "":
		return "no policy allows"
	case d.Allowed:
		return d.Policy + "/" + d.Statement + " allows"
	}
	return d.Policy + "/" + d.Statement + " denies"
}

// Err returns nil for an allowed request, else a *Denied.
func (d *Decision) Err() error {
	if d.Allowed {
		return nil
	}
	if d.denied == nil { // the zero Decision
		return &Denied{"The call is not authorized."}
	}
	return d.denied
}

// Refuse returns a decision that denies with the message of why.
func Refuse(why *Denied) Decision { return Decision{denied: why} }

// denied returns a Denied with AWS's message.
func denied(p Principal, action string, d Decision) *Denied {
	text := "User: " + p.ARN + " is not authorized to perform: " + action + " on resource: " + d.Resource
	switch {
	case d.Policy != "" && d.why != "":
		text += " with an explicit deny in an identity-based policy: " + d.why
	case d.Policy != "":
		text += " with an explicit deny in an identity-based policy"
	case d.why != "":
		text += " because " + d.why
	default:
		text += " because no identity-based policy allows the " + action + " action"
	}
	return &Denied{text}
}
