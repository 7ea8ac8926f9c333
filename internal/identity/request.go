package identity

// A Request is what a caller asks to be allowed.
type Request struct {
	Caller Principal
	Action string // "ecs:RunTask"
	// Resources are ARNs, each of which must be allowed, or "*" for nothing that has
	// one. None is "*" too.
	Resources []string
	// Context gives the values of condition keys that the caller's operation knows,
	// nil for those that it does not have. Names of keys are in lower case. It may be
	// nil.
	Context func(key string) []string
}

// A Decision says whether a request is allowed, and why.
type Decision struct {
	Allowed bool
	// Resource is what decided: the first that is denied.
	Resource string
	// Policy and Statement decided; both are empty where none applies.
	Policy, Statement string

	why    string  // of a denial: the condition that was not met, in words, where there are some
	denied *Denied // nil where it is allowed
}

// Reason is the decision's reason, for the log: "AshoreHost/OwnTask allows",
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

// Err is nil for what is allowed, and a *Denied for what is not.
func (d *Decision) Err() error {
	if d.Allowed {
		return nil
	}
	if d.denied == nil { // the zero Decision
		return &Denied{"The call is not authorized."}
	}
	return d.denied
}

// Refuse is a decision that denies, in the words of why.
func Refuse(why *Denied) Decision { return Decision{denied: why} }

// denied says no in AWS's words.
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
