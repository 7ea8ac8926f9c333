package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	settingsGuide = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html"
	putSettingAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAccountSetting.html"
	defaultAPI    = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAccountSettingDefault.html"
	listSettings  = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAccountSettings.html"
	delSettingAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteAccountSetting.html"
)

// settingValues are the values that each setting of a principal can have.
var settingValues = map[types.SettingName][]string{
	types.SettingNameServiceLongArnFormat:           {"enabled"},
	types.SettingNameTaskLongArnFormat:              {"enabled"},
	types.SettingNameContainerInstanceLongArnFormat: {"enabled"},
	types.SettingNameAwsvpcTrunking:                 {"enabled", "disabled"},
	types.SettingNameContainerInsights:              {"enabled", "disabled", "enhanced"},
	types.SettingNameFargateFipsMode:                {"enabled", "disabled"},
	types.SettingNameTagResourceAuthorization:       {"off", "on"},
	types.SettingNameDefaultLogDriverMode:           {"blocking", "non-blocking"},
}

// setting returns the caller's effective setting.
func (c *C) setting(name types.SettingName) types.Setting {
	c.Helper()
	out, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{Name: name, EffectiveSettings: true})
	c.OK(err)
	if len(out.Settings) != 1 || out.Settings[0].Name != name {
		c.Fatalf("%s: %+v", name, out.Settings)
	}
	return out.Settings[0]
}

// setSetting changes a setting of the caller until the case ends.
func (c *C) setSetting(name types.SettingName, value string) *types.Setting {
	c.Helper()
	c.Cleanup(func() {
		if _, err := c.ECS.DeleteAccountSetting(context.Background(), &ecs.DeleteAccountSettingInput{Name: name}); err != nil {
			c.Errorf("cleaning up: %v", err)
		}
	})
	out, err := c.ECS.PutAccountSetting(c.Ctx(), &ecs.PutAccountSettingInput{Name: name, Value: &value})
	c.OK(err)
	return out.Setting
}

// ownSettings lists the caller's own settings, "name=value".
func (c *C) ownSettings() []string {
	c.Helper()
	out, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{})
	c.OK(err)
	var all []string
	for _, s := range out.Settings {
		all = append(all, string(s.Name)+"="+aws.ToString(s.Value))
	}
	return all
}

// setDefault changes the account's default until the case ends.
func (c *C) setDefault(name types.SettingName, value string) *types.Setting {
	c.Helper()
	before := aws.ToString(c.setting(name).Value)
	out, err := c.ECS.PutAccountSettingDefault(c.Ctx(), &ecs.PutAccountSettingDefaultInput{Name: name, Value: &value})
	c.OK(err)
	c.Cleanup(func() {
		_, err := c.ECS.PutAccountSettingDefault(context.Background(), &ecs.PutAccountSettingDefaultInput{Name: name, Value: &before})
		if err != nil {
			c.Errorf("cleaning up: %v", err)
		}
	})
	return out.Setting
}

// account returns the caller's account.
func (c *C) account() string {
	c.Helper()
	return strings.Split(aws.ToString(c.setting(types.SettingNameContainerInsights).PrincipalArn), ":")[4]
}

func (c *C) refusesSetting(in *ecs.PutAccountSettingInput, words ...string) {
	c.Helper()
	_, err := c.ECS.PutAccountSetting(c.Ctx(), in)
	c.Refused(err, "InvalidParameterException", words...)
}

func accountSettingCases() []Case {
	var cases []Case
	for _, name := range types.SettingName("").Values() {
		values := settingValues[name]
		for _, v := range values {
			cases = append(cases, Case{
				Name: "PutAccountSetting " + string(name) + " " + v, Cite: settingsGuide,
				Run: func(c *C) {
					s := c.setSetting(name, v)
					if s.Name != name || aws.ToString(s.Value) != v || s.Type == types.SettingTypeAwsManaged || aws.ToString(s.PrincipalArn) == "" {
						c.Errorf("answer: %+v", s)
					}
					if got := aws.ToString(c.setting(name).Value); got != v {
						c.Errorf("%s is %s", name, got)
					}
				},
			})
		}
		if values != nil {
			cases = append(cases, Case{
				Name: "PutAccountSetting " + string(name) + " refuses another value", Cite: "https://github.com/aws/aws-cli/issues/3785",
				Run: func(c *C) {
					c.refusesSetting(&ecs.PutAccountSettingInput{Name: name, Value: aws.String("ENABLED")}, "Invalid setting", "value")
				},
			})
		}
	}
	return append(cases, otherAccountSettingCases...)
}

var otherAccountSettingCases = []Case{
	{
		Name: "PutAccountSetting can no longer disable long ARNs", Cite: "https://github.com/hashicorp/terraform-provider-aws/blob/main/website/docs/r/ecs_account_setting_default.html.markdown",
		Run: func(c *C) {
			for _, name := range []types.SettingName{types.SettingNameServiceLongArnFormat, types.SettingNameTaskLongArnFormat, types.SettingNameContainerInstanceLongArnFormat} {
				c.refusesSetting(&ecs.PutAccountSettingInput{Name: name, Value: aws.String("disabled")}, "You can no longer disable Long Arn settings")
			}
		},
	},
	{
		Name: "PutAccountSettingDefault can no longer disable long ARNs", Cite: "https://github.com/hashicorp/terraform-provider-aws/blob/main/website/docs/r/ecs_account_setting_default.html.markdown",
		Run: func(c *C) {
			_, err := c.ECS.PutAccountSettingDefault(c.Ctx(), &ecs.PutAccountSettingDefaultInput{Name: types.SettingNameTaskLongArnFormat, Value: aws.String("disabled")})
			c.Refused(err, "InvalidParameterException", "You can no longer disable Long Arn settings")
		},
	},
	{
		Name: "PutAccountSetting guardDutyActivate is read-only", Cite: putSettingAPI,
		Run: func(c *C) {
			c.refusesSetting(&ecs.PutAccountSettingInput{Name: types.SettingNameGuardDutyActivate, Value: aws.String("on")})
		},
	},
	{
		Name: "PutAccountSettingDefault guardDutyActivate is read-only", Cite: defaultAPI,
		Run: func(c *C) {
			_, err := c.ECS.PutAccountSettingDefault(c.Ctx(), &ecs.PutAccountSettingDefaultInput{Name: types.SettingNameGuardDutyActivate, Value: aws.String("on")})
			c.Refused(err, "InvalidParameterException")
		},
	},
	{
		Name: "ListAccountSettings shows guardDutyActivate as AWS's", Cite: "model: Setting.type",
		Run: func(c *C) {
			if s := c.setting(types.SettingNameGuardDutyActivate); s.Type != types.SettingTypeAwsManaged {
				c.Errorf("%+v", s)
			}
		},
	},
	{
		Name: "ListAccountSettings shows the others as the user's", Cite: "model: Setting.type",
		Run: func(c *C) {
			if s := c.setting(types.SettingNameContainerInsights); s.Type != types.SettingTypeUser {
				c.Errorf("%+v", s)
			}
		},
	},
	{
		Name: "PutAccountSetting unknown name", Cite: "model: PutAccountSettingInput.name",
		Run: func(c *C) {
			c.refusesSetting(&ecs.PutAccountSettingInput{Name: "noSuchSetting", Value: aws.String("enabled")}, "noSuchSetting should be one of [serviceLongArnFormat,")
		},
	},
	{
		Name: "PutAccountSetting empty value", Cite: "model: PutAccountSettingInput.value",
		Run: func(c *C) {
			c.refusesSetting(&ecs.PutAccountSettingInput{Name: types.SettingNameContainerInsights, Value: aws.String("")}, "value")
		},
	},
	{
		Name: "PutAccountSetting principalArn that is no ARN", Cite: "model: PutAccountSettingInput.principalArn",
		Run: func(c *C) {
			c.refusesSetting(&ecs.PutAccountSettingInput{Name: types.SettingNameContainerInsights, Value: aws.String("enabled"), PrincipalArn: aws.String("someone")}, "principal")
		},
	},
	{
		Name: "PutAccountSetting again takes the new value", Cite: putSettingAPI,
		Run: func(c *C) {
			c.setSetting(types.SettingNameContainerInsights, "enabled")
			c.setSetting(types.SettingNameContainerInsights, "enhanced")
			if got := c.ownSettings(); !slices.Equal(got, []string{"containerInsights=enhanced"}) {
				c.Errorf("chosen: %v", got)
			}
		},
	},
	{
		Name: "PutAccountSettingDefault answers with the root user", Cite: defaultAPI,
		Run: func(c *C) {
			s := c.setDefault(types.SettingNameContainerInsights, "enabled")
			if !strings.HasSuffix(aws.ToString(s.PrincipalArn), ":root") || aws.ToString(s.Value) != "enabled" {
				c.Errorf("%+v", s)
			}
		},
	},
	{
		Name: "PutAccountSettingDefault holds for who has not chosen", Cite: defaultAPI,
		Run: func(c *C) {
			c.setDefault(types.SettingNameContainerInsights, "enabled")
			if got := aws.ToString(c.setting(types.SettingNameContainerInsights).Value); got != "enabled" {
				c.Errorf("it is %s", got)
			}
			if got := c.ownSettings(); len(got) != 0 {
				c.Errorf("the caller has chosen %v", got)
			}
		},
	},
	{
		Name: "PutAccountSettingDefault does not hold for who has chosen", Cite: defaultAPI,
		Run: func(c *C) {
			c.setSetting(types.SettingNameContainerInsights, "enhanced")
			_, err := c.ECS.PutAccountSettingDefault(c.Ctx(), &ecs.PutAccountSettingDefaultInput{Name: types.SettingNameContainerInsights, Value: aws.String("disabled")})
			c.OK(err)
			if got := aws.ToString(c.setting(types.SettingNameContainerInsights).Value); got != "enhanced" {
				c.Errorf("it is %s", got)
			}
		},
	},
	{
		Name: "PutAccountSettingDefault another value", Cite: "model: PutAccountSettingDefaultInput.value",
		Run: func(c *C) {
			_, err := c.ECS.PutAccountSettingDefault(c.Ctx(), &ecs.PutAccountSettingDefaultInput{Name: types.SettingNameContainerInsights, Value: aws.String("on")})
			c.Refused(err, "InvalidParameterException", "Invalid setting", "value")
		},
	},
	{
		Name: "PutAccountSettingDefault unknown name", Cite: "model: PutAccountSettingDefaultInput.name",
		Run: func(c *C) {
			_, err := c.ECS.PutAccountSettingDefault(c.Ctx(), &ecs.PutAccountSettingDefaultInput{Name: "noSuchSetting", Value: aws.String("on")})
			c.Refused(err, "InvalidParameterException", "noSuchSetting should be one of [serviceLongArnFormat,")
		},
	},
	{
		Name: "PutAccountSettingDefault fargateTaskRetirementWaitPeriod", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html",
		Run: func(c *C) {
			for _, days := range []string{"0", "14", "7"} {
				if s := c.setDefault(types.SettingNameFargateTaskRetirementWaitPeriod, days); aws.ToString(s.Value) != days {
					c.Errorf("%+v", s)
				}
			}
			_, err := c.ECS.PutAccountSettingDefault(c.Ctx(), &ecs.PutAccountSettingDefaultInput{Name: types.SettingNameFargateTaskRetirementWaitPeriod, Value: aws.String("5")})
			c.Refused(err, "InvalidParameterException", "value")
		},
	},
	{
		Name: "PutAccountSettingDefault fargateEventWindows", Cite: defaultAPI,
		Run: func(c *C) {
			if s := c.setDefault(types.SettingNameFargateEventWindows, "enabled"); aws.ToString(s.Value) != "enabled" {
				c.Errorf("%+v", s)
			}
		},
	},
	{
		Name: "DeleteAccountSetting gives the default back", Cite: delSettingAPI,
		Run: func(c *C) {
			before := aws.ToString(c.setting(types.SettingNameAwsvpcTrunking).Value)
			other := map[string]string{"enabled": "disabled", "disabled": "enabled"}[before]
			c.setSetting(types.SettingNameAwsvpcTrunking, other)
			out, err := c.ECS.DeleteAccountSetting(c.Ctx(), &ecs.DeleteAccountSettingInput{Name: types.SettingNameAwsvpcTrunking})
			c.OK(err)
			if out.Setting == nil || out.Setting.Name != types.SettingNameAwsvpcTrunking || aws.ToString(out.Setting.PrincipalArn) == "" {
				c.Errorf("answer: %+v", out.Setting)
			}
			if got := aws.ToString(c.setting(types.SettingNameAwsvpcTrunking).Value); got != before {
				c.Errorf("it is %s, was %s", got, before)
			}
			if got := c.ownSettings(); len(got) != 0 {
				c.Errorf("chosen: %v", got)
			}
		},
	},
	{
		Name: "DeleteAccountSetting of what was never chosen", Cite: delSettingAPI,
		Run: func(c *C) {
			for range 2 {
				_, err := c.ECS.DeleteAccountSetting(c.Ctx(), &ecs.DeleteAccountSettingInput{Name: types.SettingNameFargateFipsMode})
				c.OK(err)
			}
		},
	},
	{
		Name: "DeleteAccountSetting unknown name", Cite: "model: DeleteAccountSettingInput.name",
		Run: func(c *C) {
			_, err := c.ECS.DeleteAccountSetting(c.Ctx(), &ecs.DeleteAccountSettingInput{Name: "noSuchSetting"})
			c.Refused(err, "InvalidParameterException", "noSuchSetting should be one of [serviceLongArnFormat,")
		},
	},
	{
		Name: "DeleteAccountSetting principalArn of another account", Cite: "model: DeleteAccountSettingInput.principalArn",
		Run: func(c *C) {
			_, err := c.ECS.DeleteAccountSetting(c.Ctx(), &ecs.DeleteAccountSettingInput{Name: types.SettingNameFargateFipsMode, PrincipalArn: aws.String("arn:aws:iam::999999999999:user/x")})
			c.Refused(err, "InvalidParameterException", "principal")
		},
	},
	{
		Name: "ListAccountSettings lists nothing that was not chosen", Cite: "model: ListAccountSettingsInput.effectiveSettings",
		Run: func(c *C) {
			if got := c.ownSettings(); len(got) != 0 {
				c.Errorf("chosen: %v", got)
			}
		},
	},
	{
		Name: "ListAccountSettings effective lists every setting", Cite: "model: ListAccountSettingsInput.effectiveSettings",
		Run: func(c *C) {
			var names []types.SettingName
			p := ecs.NewListAccountSettingsPaginator(c.ECS, &ecs.ListAccountSettingsInput{EffectiveSettings: true})
			for p.HasMorePages() {
				out, err := p.NextPage(c.Ctx())
				c.OK(err)
				for _, s := range out.Settings {
					names = append(names, s.Name)
				}
			}
			for name, values := range settingValues {
				if n := slices.Index(names, name); n < 0 {
					c.Errorf("%s is missing", name)
				} else if v := aws.ToString(c.setting(name).Value); !slices.Contains(values, v) {
					c.Errorf("%s is %q", name, v)
				}
			}
		},
	},
	{
		Name: "ListAccountSettings pages have at most ten", Cite: "model: ListAccountSettingsInput.maxResults",
		Run: func(c *C) {
			out, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{EffectiveSettings: true})
			c.OK(err)
			if len(out.Settings) > 10 {
				c.Errorf("%d settings on a page", len(out.Settings))
			}
		},
	},
	{
		Name: "ListAccountSettings pages", Cite: listSettings,
		Run: func(c *C) {
			seen := map[types.SettingName]bool{}
			p := ecs.NewListAccountSettingsPaginator(c.ECS, &ecs.ListAccountSettingsInput{EffectiveSettings: true, MaxResults: 3})
			for p.HasMorePages() {
				out, err := p.NextPage(c.Ctx())
				c.OK(err)
				if len(out.Settings) > 3 {
					c.Errorf("%d settings on a page of 3", len(out.Settings))
				}
				for _, s := range out.Settings {
					if seen[s.Name] {
						c.Errorf("%s comes twice", s.Name)
					}
					seen[s.Name] = true
				}
			}
			if len(seen) < len(settingValues) {
				c.Errorf("%d settings", len(seen))
			}
		},
	},
	{
		Name: "ListAccountSettings maxResults above ten", Cite: "model: ListAccountSettingsInput.maxResults",
		Run: func(c *C) {
			_, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{MaxResults: 11})
			c.Refused(err, "InvalidParameterException", "maxResults")
		},
	},
	{
		Name: "ListAccountSettings negative maxResults", Cite: "model: ListAccountSettingsInput.maxResults",
		Run: func(c *C) {
			_, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{MaxResults: -1})
			c.Refused(err, "InvalidParameterException", "maxResults")
		},
	},
	{
		Name: "ListAccountSettings nextToken that nobody gave", Cite: "model: ListAccountSettingsInput.nextToken",
		Run: func(c *C) {
			_, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{NextToken: aws.String("nonsense")})
			c.Refused(err, "InvalidParameterException", "token")
		},
	},
	{
		Name: "ListAccountSettings value without a name", Cite: "model: ListAccountSettingsInput.value",
		Run: func(c *C) {
			_, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{Value: aws.String("enabled")})
			c.Refused(err, "InvalidParameterException", "name")
		},
	},
	{
		Name: "ListAccountSettings by name and value", Cite: "model: ListAccountSettingsInput.value",
		Run: func(c *C) {
			c.setSetting(types.SettingNameContainerInsights, "enhanced")
			for value, n := range map[string]int{"enhanced": 1, "disabled": 0} {
				out, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{Name: types.SettingNameContainerInsights, Value: &value})
				c.OK(err)
				if len(out.Settings) != n {
					c.Errorf("%s: %+v", value, out.Settings)
				}
			}
		},
	},
	{
		Name: "ListAccountSettings by a name that was not chosen", Cite: "model: ListAccountSettingsInput.name",
		Run: func(c *C) {
			c.setSetting(types.SettingNameContainerInsights, "enhanced")
			out, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{Name: types.SettingNameFargateFipsMode})
			c.OK(err)
			if len(out.Settings) != 0 {
				c.Errorf("%+v", out.Settings)
			}
		},
	},
	{
		Name: "ListAccountSettings unknown name", Cite: "model: ListAccountSettingsInput.name",
		Run: func(c *C) {
			_, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{Name: "noSuchSetting"})
			c.Refused(err, "InvalidParameterException", "noSuchSetting should be one of [serviceLongArnFormat,")
		},
	},
	{
		Name: "containerInsights is the default of new clusters", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-container-insights.html",
		Run: func(c *C) {
			c.setSetting(types.SettingNameContainerInsights, "enhanced")
			made := c.describe(c.Cluster(), types.ClusterFieldSettings)
			if len(made.Settings) != 1 || aws.ToString(made.Settings[0].Value) != "enhanced" {
				c.Errorf("settings: %+v", made.Settings)
			}
		},
	},
	{
		Name: "containerInsights of the request wins", Cite: "model: CreateClusterInput.settings",
		Run: func(c *C) {
			c.setSetting(types.SettingNameContainerInsights, "enhanced")
			made := c.describe(c.Cluster(func(in *ecs.CreateClusterInput) { in.Settings = insights("disabled") }), types.ClusterFieldSettings)
			if len(made.Settings) != 1 || aws.ToString(made.Settings[0].Value) != "disabled" {
				c.Errorf("settings: %+v", made.Settings)
			}
		},
	},
	{
		Name: "the root user's setting is the account's", Cite: "model: PutAccountSettingInput.principalArn", Needs: Fleet,
		Run: func(c *C) {
			root := "arn:aws:iam::" + c.account() + ":root"
			in := &ecs.PutAccountSettingInput{Name: types.SettingNameFargateFipsMode, Value: aws.String("enabled"), PrincipalArn: &root}
			out, err := c.ECS.PutAccountSetting(c.Ctx(), in)
			c.OK(err)
			if aws.ToString(out.Setting.PrincipalArn) != root || aws.ToString(c.setting(in.Name).Value) != "enabled" {
				c.Errorf("%+v", out.Setting)
			}
			_, err = c.ECS.DeleteAccountSetting(c.Ctx(), &ecs.DeleteAccountSettingInput{Name: in.Name, PrincipalArn: &root})
			c.OK(err)
			if v := aws.ToString(c.setting(in.Name).Value); v != "disabled" {
				c.Errorf("then it is %s", v)
			}
		},
	},
	{
		Name: "a role's setting is its own", Cite: "model: PutAccountSettingInput.principalArn", Needs: Fleet,
		Run: func(c *C) {
			role := "arn:aws:iam::" + c.account() + ":role/" + c.Unique("conformance")
			_, err := c.ECS.PutAccountSetting(c.Ctx(), &ecs.PutAccountSettingInput{Name: types.SettingNameFargateFipsMode, Value: aws.String("enabled"), PrincipalArn: &role})
			c.OK(err)
			out, err := c.ECS.ListAccountSettings(c.Ctx(), &ecs.ListAccountSettingsInput{PrincipalArn: &role})
			c.OK(err)
			if len(out.Settings) != 1 || aws.ToString(out.Settings[0].PrincipalArn) != role {
				c.Errorf("%+v", out.Settings)
			}
			if v := aws.ToString(c.setting(types.SettingNameFargateFipsMode).Value); v != "disabled" {
				c.Errorf("the caller has %s", v)
			}
		},
	},
}

func TestAccountSetting(t *testing.T) { run(t, accountSettingCases()) }
