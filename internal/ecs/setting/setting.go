// Package setting has ECS's account settings: which values each can have, and which
// value applies to a principal.
package setting

import (
	"maps"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Rule says which values one account setting can have.
type Rule struct {
	Values  []string
	Initial string // the value that applies if none is set
	Whole   bool   // the account has it, not each principal
	Managed bool   // read-only
}

// Rules are all account settings of the API, with the values and defaults
// of the developer guide's page on account settings.
var Rules = map[types.SettingName]Rule{
	types.SettingNameServiceLongArnFormat:            {Values: enabledOnly, Initial: "enabled"},
	types.SettingNameTaskLongArnFormat:               {Values: enabledOnly, Initial: "enabled"},
	types.SettingNameContainerInstanceLongArnFormat:  {Values: enabledOnly, Initial: "enabled"},
	types.SettingNameAwsvpcTrunking:                  {Values: enabledDisabled, Initial: "disabled"},
	types.SettingNameContainerInsights:               {Values: []string{"enabled", "disabled", "enhanced"}, Initial: "disabled"},
	types.SettingNameFargateFipsMode:                 {Values: enabledDisabled, Initial: "disabled"},
	types.SettingNameTagResourceAuthorization:        {Values: []string{"on", "off"}, Initial: "on"},
	types.SettingNameFargateTaskRetirementWaitPeriod: {Values: []string{"0", "7", "14"}, Initial: "7", Whole: true},
	types.SettingNameGuardDutyActivate:               {Initial: "off", Whole: true, Managed: true},
	types.SettingNameDefaultLogDriverMode:            {Values: []string{logBlocking, logNonBlocking}, Initial: logNonBlocking},
	types.SettingNameFargateEventWindows:             {Values: enabledDisabled, Initial: "disabled", Whole: true},
}

var (
	enabledOnly     = []string{"enabled"}
	enabledDisabled = []string{"enabled", "disabled"}
)

const (
	logBlocking    = "blocking"
	logNonBlocking = "non-blocking"
)

// Check checks whether a setting may be changed to value for a principal; "" is the
// account.
func (r Rule) Check(name types.SettingName, principal, value string) error {
	switch {
	case r.Managed:
		return refuse.Invalid("%s is managed for you and can only be read.", name)
	case len(r.Values) == 1 && value == "disabled":
		return refuse.Invalid("You can no longer disable Long Arn settings")
	case !slices.Contains(r.Values, value):
		return refuse.Invalid("Invalid setting 'value': %s must be %s, not %q.", name, oneOf(r.Values), value)
	case r.Whole && principal != "":
		return refuse.Invalid("%s is a setting of the whole account: use PutAccountSettingDefault, or the principalArn of the root user.", name)
	}
	return nil
}

// oneOf joins words as English does: a, b or c.
func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// FindRule returns the rule of a setting that a request names.
func FindRule(name types.SettingName) (Rule, error) {
	r, ok := Rules[name]
	if !ok {
		var known []string
		for _, n := range Names() {
			known = append(known, string(n))
		}
		return r, refuse.Invalid("%s should be one of [%s]", name, strings.Join(known, ","))
	}
	return r, nil
}

// Names returns all settings in alphabetical order.
func Names() []types.SettingName { return slices.Sorted(maps.Keys(Rules)) }

// Of returns the value of a setting that applies to a principal: its own, else the
// account's, else ECS's default.
func Of(snap *store.Snapshot, site fleet.Site, principal string, name types.SettingName) string {
	return of(snap.AccountSettings, site, principal, name)
}

// OfTx is Of for a transaction. The transaction then commits only if the setting is
// unchanged.
func OfTx(tx *store.Tx, site fleet.Site, principal string, name types.SettingName) string {
	return of(func(p string) *fleet.AccountSettings { return store.Get(tx, store.AccountSettingsKey(p)) }, site, principal, name)
}

func of(get func(principal string) *fleet.AccountSettings, site fleet.Site, principal string, name types.SettingName) string {
	var own []string
	if !Rules[name].Whole && principal != "" && principal != RootARN(site) {
		own = append(own, principal)
	}
	for _, p := range append(own, "") {
		if of := get(p); of != nil {
			if v, chosen := of.Values[string(name)]; chosen {
				return v
			}
		}
	}
	return Rules[name].Initial
}

// RootARN returns the ARN of the account's root user, whose settings are the
// account's.
func RootARN(site fleet.Site) string {
	return "arn:" + fleet.Partition + ":iam::" + site.Account + ":root"
}
