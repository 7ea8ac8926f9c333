package ecs

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// settingRule says what one account setting can be.
type settingRule struct {
	values  []string
	initial string // what holds where nobody has chosen
	whole   bool   // the account has it, not each principal
	managed bool   // read-only
}

// settingRules are all account settings of the API, with the values and defaults
// of the developer guide's page on account settings.
var settingRules = map[types.SettingName]settingRule{
	types.SettingNameServiceLongArnFormat:            {values: enabledOnly, initial: "enabled"},
	types.SettingNameTaskLongArnFormat:               {values: enabledOnly, initial: "enabled"},
	types.SettingNameContainerInstanceLongArnFormat:  {values: enabledOnly, initial: "enabled"},
	types.SettingNameAwsvpcTrunking:                  {values: enabledDisabled, initial: "disabled"},
	types.SettingNameContainerInsights:               {values: []string{"enabled", "disabled", "enhanced"}, initial: "disabled"},
	types.SettingNameFargateFipsMode:                 {values: enabledDisabled, initial: "disabled"},
	types.SettingNameTagResourceAuthorization:        {values: []string{"on", "off"}, initial: "on"},
	types.SettingNameFargateTaskRetirementWaitPeriod: {values: []string{"0", "7", "14"}, initial: "7", whole: true},
	types.SettingNameGuardDutyActivate:               {initial: "off", whole: true, managed: true},
	types.SettingNameDefaultLogDriverMode:            {values: []string{logBlocking, logNonBlocking}, initial: logNonBlocking},
	types.SettingNameFargateEventWindows:             {values: enabledDisabled, initial: "disabled", whole: true},
}

var (
	enabledOnly     = []string{"enabled"}
	enabledDisabled = []string{"enabled", "disabled"}
)

const (
	logBlocking    = "blocking"
	logNonBlocking = "non-blocking"
)

// check says whether a setting may be changed to value for a principal, ""
// being the account.
func (r settingRule) check(name types.SettingName, principal, value string) error {
	switch {
	case r.managed:
		return invalid("%s is managed for you and can only be read.", name)
	case len(r.values) == 1 && value == "disabled":
		return invalid("You can no longer disable Long Arn settings")
	case !slices.Contains(r.values, value):
		return invalid("Invalid setting 'value': %s must be %s, not %q.", name, oneOf(r.values), value)
	case r.whole && principal != "":
		return invalid("%s is a setting of the whole account: use PutAccountSettingDefault, or the principalArn of the root user.", name)
	}
	return nil
}

// oneOf lists words as English does: a, b or c.
func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func settingRuleOf(name types.SettingName) (settingRule, error) {
	r, ok := settingRules[name]
	if !ok {
		var known []string
		for _, n := range settingNames() {
			known = append(known, string(n))
		}
		return r, invalid("%s should be one of [%s]", name, strings.Join(known, ","))
	}
	return r, nil
}

func settingNames() []types.SettingName { return slices.Sorted(maps.Keys(settingRules)) }

// accountSetting is the value of a setting that holds for a principal: its own,
// else the account's, else ECS's default.
func (s *Service) accountSetting(snap *store.Snapshot, principal string, name types.SettingName) string {
	return s.settingOf(snap.AccountSettings, principal, name)
}

// accountSettingTx is accountSetting for a transaction, which then commits only
// while the setting is as it was read.
func (s *Service) accountSettingTx(tx *store.Tx, principal string, name types.SettingName) string {
	return s.settingOf(func(p string) *fleet.AccountSettings { return store.Get(tx, store.AccountSettingsKey(p)) }, principal, name)
}

func (s *Service) settingOf(get func(principal string) *fleet.AccountSettings, principal string, name types.SettingName) string {
	var own []string
	if !settingRules[name].whole && principal != "" && principal != s.rootARN() {
		own = append(own, principal)
	}
	for _, p := range append(own, "") {
		if of := get(p); of != nil {
			if v, chosen := of.Values[string(name)]; chosen {
				return v
			}
		}
	}
	return settingRules[name].initial
}

// PutAccountSetting chooses a setting for the caller, or for the principal that
// is named: the root user stands for the account.
func (s *Service) PutAccountSetting(ctx context.Context, in *sdk.PutAccountSettingInput) (*sdk.PutAccountSettingOutput, error) {
	out, err := s.putSetting(ctx, in.Name, in.Value, aws.ToString(in.PrincipalArn))
	if err != nil {
		return nil, err
	}
	return &sdk.PutAccountSettingOutput{Setting: out}, nil
}

// PutAccountSettingDefault chooses a setting for all who have not chosen.
func (s *Service) PutAccountSettingDefault(ctx context.Context, in *sdk.PutAccountSettingDefaultInput) (*sdk.PutAccountSettingDefaultOutput, error) {
	out, err := s.putSetting(ctx, in.Name, in.Value, s.rootARN())
	if err != nil {
		return nil, err
	}
	return &sdk.PutAccountSettingDefaultOutput{Setting: out}, nil
}

func (s *Service) putSetting(ctx context.Context, name types.SettingName, value *string, arn string) (*types.Setting, error) {
	rule, err := settingRuleOf(name)
	if err != nil {
		return nil, err
	}
	p, err := s.settingsPrincipal(frontdoor.CallerFrom(ctx).Principal, arn)
	if err != nil {
		return nil, err
	}
	if err := rule.check(name, p.key, aws.ToString(value)); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		k := store.AccountSettingsKey(p.key)
		next := settingsCopy(store.Get(tx, k), p.key)
		next.Values[string(name)] = aws.ToString(value)
		return store.Put(tx, k, next)
	})
	if err != nil {
		return nil, err
	}
	return settingOut(name, aws.ToString(value), p.arn), nil
}

func settingsCopy(old *fleet.AccountSettings, principal string) *fleet.AccountSettings {
	next := &fleet.AccountSettings{Principal: principal, Values: map[string]string{}}
	if old != nil {
		next.Extra = old.Extra
		maps.Copy(next.Values, old.Values)
	}
	return next
}

// DeleteAccountSetting takes back a choice and answers with what holds instead.
func (s *Service) DeleteAccountSetting(ctx context.Context, in *sdk.DeleteAccountSettingInput) (*sdk.DeleteAccountSettingOutput, error) {
	rule, err := settingRuleOf(in.Name)
	if err != nil {
		return nil, err
	}
	if rule.managed {
		return nil, invalid("%s is managed for you and can only be read.", in.Name)
	}
	p, err := s.settingsPrincipal(frontdoor.CallerFrom(ctx).Principal, aws.ToString(in.PrincipalArn))
	if err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		k := store.AccountSettingsKey(p.key)
		old := store.Get(tx, k)
		if old == nil {
			return nil
		}
		if _, chosen := old.Values[string(in.Name)]; !chosen {
			return nil
		}
		next := settingsCopy(old, p.key)
		delete(next.Values, string(in.Name))
		if len(next.Values) == 0 && len(next.Extra) == 0 {
			return store.Delete(tx, k)
		}
		return store.Put(tx, k, next)
	})
	if err != nil {
		return nil, err
	}
	return &sdk.DeleteAccountSettingOutput{Setting: settingOut(in.Name, s.accountSetting(s.store.Snapshot(), p.key, in.Name), p.arn)}, nil
}

// ListAccountSettings lists what a principal has chosen, or what holds for it.
func (s *Service) ListAccountSettings(ctx context.Context, in *sdk.ListAccountSettingsInput) (*sdk.ListAccountSettingsOutput, error) {
	if in.MaxResults < 0 || in.MaxResults > 10 {
		return nil, invalid("maxResults must be between 1 and 10, not %d.", in.MaxResults)
	}
	if in.Name != "" {
		if _, err := settingRuleOf(in.Name); err != nil {
			return nil, err
		}
	} else if in.Value != nil {
		return nil, invalid("value: you must also specify the name of a setting to filter by its value.")
	}
	principal, err := s.settingsPrincipal(frontdoor.CallerFrom(ctx).Principal, aws.ToString(in.PrincipalArn))
	if err != nil {
		return nil, err
	}
	effective := "chosen"
	if in.EffectiveSettings {
		effective = "effective"
	}
	p, err := pageOf(nil, in.NextToken, "ListAccountSettings", principal.arn, effective, string(in.Name), aws.ToString(in.Value))
	if err != nil {
		return nil, err
	}
	if p.limit = int(in.MaxResults); p.limit == 0 {
		p.limit = 10
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	chosen := map[string]string{}
	if of := snap.AccountSettings(principal.key); of != nil {
		chosen = of.Values
	}
	list := p.taker()
	settings := []types.Setting{}
	for _, name := range settingNames() {
		v, is := chosen[string(name)]
		if in.EffectiveSettings {
			v, is = s.accountSetting(snap, principal.key, name), true
		}
		if !is || string(name) <= p.after || (in.Name != "" && name != in.Name) || (in.Value != nil && v != *in.Value) {
			continue
		}
		if !list.add(string(name), string(name)) {
			break
		}
		settings = append(settings, *settingOut(name, v, principal.arn))
	}
	return &sdk.ListAccountSettingsOutput{Settings: settings, NextToken: list.next}, nil
}

func settingOut(name types.SettingName, value, principal string) *types.Setting {
	out := &types.Setting{Name: name, Value: aws.String(value), PrincipalArn: aws.String(principal), Type: types.SettingTypeUser}
	if settingRules[name].managed {
		out.Type = types.SettingTypeAwsManaged
	}
	return out
}
