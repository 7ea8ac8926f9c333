package ecs

import (
	"context"
	"maps"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/setting"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// accountSetting returns the value of a setting that applies to a principal: its own,
// else the account's, else ECS's default.
func (s *Service) accountSetting(snap *store.Snapshot, principal string, name types.SettingName) string {
	return setting.Of(snap, s.site, principal, name)
}

func (s *Service) accountSettingOperations() operations {
	return operations{
		// Account settings have no ARN of their own: policies name the actions.
		"PutAccountSetting":        frontdoor.Op[sdk.PutAccountSettingInput]("ecs:PutAccountSetting", nil).With(settingsContext),
		"PutAccountSettingDefault": frontdoor.Op[sdk.PutAccountSettingDefaultInput]("ecs:PutAccountSettingDefault", nil),
		"DeleteAccountSetting":     frontdoor.Op[sdk.DeleteAccountSettingInput]("ecs:DeleteAccountSetting", nil).With(settingsContext),
		"ListAccountSettings":      frontdoor.Op[sdk.ListAccountSettingsInput]("ecs:ListAccountSettings", nil).With(settingsContext),
	}
}

// PutAccountSetting sets a value for the caller, or for the principal that the
// request names; the root user stands for the account.
func (s *Service) PutAccountSetting(ctx context.Context, in *sdk.PutAccountSettingInput) (*sdk.PutAccountSettingOutput, error) {
	out, err := s.putSetting(ctx, in.Name, in.Value, aws.ToString(in.PrincipalArn))
	if err != nil {
		return nil, err
	}
	return &sdk.PutAccountSettingOutput{Setting: out}, nil
}

// PutAccountSettingDefault sets a value for all principals that have not set their
// own.
func (s *Service) PutAccountSettingDefault(ctx context.Context, in *sdk.PutAccountSettingDefaultInput) (*sdk.PutAccountSettingDefaultOutput, error) {
	out, err := s.putSetting(ctx, in.Name, in.Value, s.rootARN())
	if err != nil {
		return nil, err
	}
	return &sdk.PutAccountSettingDefaultOutput{Setting: out}, nil
}

func (s *Service) putSetting(ctx context.Context, name types.SettingName, value *string, arn string) (*types.Setting, error) {
	rule, err := setting.FindRule(name)
	if err != nil {
		return nil, err
	}
	p, err := s.findSettingsPrincipal(frontdoor.CallerFrom(ctx).Principal, arn)
	if err != nil {
		return nil, err
	}
	if err := rule.Check(name, p.key, aws.ToString(value)); err != nil {
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

// DeleteAccountSetting removes a principal's value and returns the one that applies
// instead.
func (s *Service) DeleteAccountSetting(ctx context.Context, in *sdk.DeleteAccountSettingInput) (*sdk.DeleteAccountSettingOutput, error) {
	rule, err := setting.FindRule(in.Name)
	if err != nil {
		return nil, err
	}
	if rule.Managed {
		return nil, refuse.Invalid("%s is managed for you and can only be read.", in.Name)
	}
	p, err := s.findSettingsPrincipal(frontdoor.CallerFrom(ctx).Principal, aws.ToString(in.PrincipalArn))
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

// ListAccountSettings lists the values that a principal has set, or those that apply
// to it.
func (s *Service) ListAccountSettings(ctx context.Context, in *sdk.ListAccountSettingsInput) (*sdk.ListAccountSettingsOutput, error) {
	if in.MaxResults < 0 || in.MaxResults > 10 {
		return nil, refuse.Invalid("maxResults must be between 1 and 10, not %d.", in.MaxResults)
	}
	if in.Name != "" {
		if _, err := setting.FindRule(in.Name); err != nil {
			return nil, err
		}
	} else if in.Value != nil {
		return nil, refuse.Invalid("value: you must also specify the name of a setting to filter by its value.")
	}
	principal, err := s.findSettingsPrincipal(frontdoor.CallerFrom(ctx).Principal, aws.ToString(in.PrincipalArn))
	if err != nil {
		return nil, err
	}
	effective := "chosen"
	if in.EffectiveSettings {
		effective = "effective"
	}
	p, err := parsePage(nil, in.NextToken, "ListAccountSettings", principal.arn, effective, string(in.Name), aws.ToString(in.Value))
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
	list := p.newCollector()
	settings := []types.Setting{}
	for _, name := range setting.Names() {
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
	if setting.Rules[name].Managed {
		out.Type = types.SettingTypeAwsManaged
	}
	return out
}
