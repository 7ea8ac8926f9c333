package ecs_test

import (
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	root = "arn:aws:iam::000000000000:root"
	ann  = "arn:aws:iam::000000000000:user/team/ann"
)

// setting is the value that holds for a principal.
func setting(t *testing.T, a *apitest.API, principal string, name types.SettingName) string {
	t.Helper()
	out, err := a.Client.ListAccountSettings(t.Context(), &ecs.ListAccountSettingsInput{
		EffectiveSettings: true, Name: name, PrincipalArn: aws.String(principal),
	})
	if err != nil || len(out.Settings) != 1 {
		t.Fatalf("setting %s of %s: %v, %v", name, principal, out, err)
	}
	return aws.ToString(out.Settings[0].Value)
}

func put(t *testing.T, a *apitest.API, principal string, name types.SettingName, value string) {
	t.Helper()
	_, err := a.Client.PutAccountSetting(t.Context(), &ecs.PutAccountSettingInput{Name: name, Value: aws.String(value), PrincipalArn: aws.String(principal)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAccountSettingPrecedence(t *testing.T) {
	a := apitest.Start(t)
	const name = types.SettingNameContainerInsights
	want := func(who, value string) {
		t.Helper()
		if got := setting(t, a, who, name); got != value {
			t.Errorf("%s has %s, want %s", who, got, value)
		}
	}
	want(ann, "disabled")
	put(t, a, root, name, "enabled")
	want(ann, "enabled")
	want(root, "enabled")
	put(t, a, ann, name, "enhanced")
	want(ann, "enhanced")
	want(identity.AdminARN(apitest.Site), "enabled")
	put(t, a, root, name, "disabled")
	want(ann, "enhanced")
	out, err := a.Client.DeleteAccountSetting(t.Context(), &ecs.DeleteAccountSettingInput{Name: name, PrincipalArn: aws.String(ann)})
	if err != nil || aws.ToString(out.Setting.Value) != "disabled" || aws.ToString(out.Setting.PrincipalArn) != ann {
		t.Errorf("deleted: %+v, %v", out, err)
	}
	want(ann, "disabled")
	if a.Store.Snapshot().AccountSettings(ann) != nil {
		t.Error("an empty record stays")
	}
}

func TestContainerInsightsOfNewClusters(t *testing.T) {
	a := apitest.Start(t)
	for _, v := range []string{"enabled", "enhanced", "disabled"} {
		put(t, a, root, types.SettingNameContainerInsights, v)
		out, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("c-" + v)})
		if err != nil || len(out.Cluster.Settings) != 1 || aws.ToString(out.Cluster.Settings[0].Value) != v {
			t.Errorf("made with %s: %+v, %v", v, out, err)
		}
	}
	out, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{
		ClusterName: aws.String("own"), Settings: []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("enhanced")}},
	})
	if err != nil || aws.ToString(out.Cluster.Settings[0].Value) != "enhanced" {
		t.Errorf("the request's own setting: %+v, %v", out, err)
	}
}

// The default cluster that a registration makes follows the account's settings.
func TestAccountSettingOfTheDefaultCluster(t *testing.T) {
	a := apitest.Start(t)
	put(t, a, root, types.SettingNameContainerInsights, "enhanced")
	a.Register("h", "default")
	c := a.Store.Snapshot().Cluster("default")
	if len(c.Settings) != 1 || aws.ToString(c.Settings[0].Value) != "enhanced" {
		t.Errorf("settings %+v", c.Settings)
	}
}

func TestAccountSettingRefusals(t *testing.T) {
	a := apitest.Start(t)
	for _, c := range []struct {
		name            types.SettingName
		value, who, say string
	}{
		{types.SettingNameTaskLongArnFormat, "disabled", "", "You can no longer disable Long Arn settings"},
		{types.SettingNameTaskLongArnFormat, "ENABLED", "", "Invalid setting 'value'"},
		{types.SettingNameContainerInsights, "on", "", "containerInsights must be enabled, disabled or enhanced"},
		{types.SettingNameDefaultLogDriverMode, "enabled", "", "blocking or non-blocking"},
		{types.SettingNameFargateTaskRetirementWaitPeriod, "5", root, "0, 7 or 14"},
		{types.SettingNameFargateTaskRetirementWaitPeriod, "14", ann, "whole account"},
		{types.SettingNameGuardDutyActivate, "on", root, "only be read"},
		{types.SettingNameContainerInsights, "enabled", "ann", "principalArn"},
		{types.SettingNameContainerInsights, "enabled", "arn:aws:iam::111111111111:user/ann", "account 000000000000"},
		{types.SettingNameContainerInsights, "enabled", "arn:aws:sts::000000000000:assumed-role/r/s", "session"},
	} {
		in := &ecs.PutAccountSettingInput{Name: c.name, Value: aws.String(c.value)}
		if c.who != "" {
			in.PrincipalArn = aws.String(c.who)
		}
		_, err := a.Client.PutAccountSetting(t.Context(), in)
		apitest.WantError[*types.InvalidParameterException](t, err, c.say)
	}
	_, err := a.Client.ListAccountSettings(t.Context(), &ecs.ListAccountSettingsInput{Value: aws.String("enabled")})
	apitest.WantError[*types.InvalidParameterException](t, err, "name")
	_, err = a.Client.ListAccountSettings(t.Context(), &ecs.ListAccountSettingsInput{MaxResults: 11})
	apitest.WantError[*types.InvalidParameterException](t, err, "maxResults")
	_, err = a.Host("h").PutAccountSetting(t.Context(), &ecs.PutAccountSettingInput{Name: types.SettingNameContainerInsights, Value: aws.String("enabled")})
	apitest.WantError[*types.AccessDeniedException](t, err, "not authorized")
}

func TestListAccountSettingsPages(t *testing.T) {
	a := apitest.Start(t)
	var names []types.SettingName
	p := ecs.NewListAccountSettingsPaginator(a.Client, &ecs.ListAccountSettingsInput{EffectiveSettings: true, MaxResults: 4})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.Settings {
			names = append(names, s.Name)
			if managed := s.Type == types.SettingTypeAwsManaged; managed != (s.Name == types.SettingNameGuardDutyActivate) {
				t.Errorf("%s has the type %s", s.Name, s.Type)
			}
		}
	}
	if len(names) != len(types.SettingName("").Values()) {
		t.Errorf("listed %v", names)
	}
	first, err := a.Client.ListAccountSettings(t.Context(), &ecs.ListAccountSettingsInput{EffectiveSettings: true})
	if err != nil || len(first.Settings) != 10 || first.NextToken == nil {
		t.Fatalf("without maxResults: %d, %v, %v", len(first.Settings), first.NextToken, err)
	}
	_, err = a.Client.ListAccountSettings(t.Context(), &ecs.ListAccountSettingsInput{NextToken: first.NextToken})
	apitest.WantError[*types.InvalidParameterException](t, err, "nextToken")
	own, err := a.Client.ListAccountSettings(t.Context(), &ecs.ListAccountSettingsInput{})
	if err != nil || len(own.Settings) != 0 {
		t.Errorf("nothing was chosen: %+v, %v", own, err)
	}
}

// A task retains the log mode that applied to the caller that created it.
func TestDefaultLogDriverMode(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	const capability = "com.amazonaws.ecs.capability."
	a.Register("h", "c", types.Attribute{Name: aws.String(capability + "logging-driver.json-file")},
		types.Attribute{Name: aws.String(capability + "docker-remote-api.1.18")}, types.Attribute{Name: aws.String(capability + "docker-remote-api.1.28")})
	for family, l := range map[string]*types.LogConfiguration{
		"unsaid": {LogDriver: types.LogDriverJsonFile}, "silent": nil,
		"said": {LogDriver: types.LogDriverJsonFile, Options: map[string]string{"mode": "blocking"}},
	} {
		apitest.Must[*ecs.RegisterTaskDefinitionOutput](t)(a.Client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: &family, ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("busybox"), Memory: aws.Int32(8), LogConfiguration: l}},
		}))
	}
	mode := func(family string) string {
		t.Helper()
		run := apitest.Must[*ecs.RunTaskOutput](t)(a.Client.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: &family}))
		if len(run.Tasks) != 1 {
			t.Fatalf("%s: %s %s", family, aws.ToString(run.Failures[0].Reason), aws.ToString(run.Failures[0].Detail))
		}
		arn := *run.Tasks[0].TaskArn
		return a.Store.Snapshot().Task("c", arn[strings.LastIndexByte(arn, '/')+1:]).LogMode
	}
	for _, want := range []string{"non-blocking", "blocking", "non-blocking"} {
		if want == "blocking" {
			put(t, a, root, types.SettingNameDefaultLogDriverMode, want)
		}
		if got := mode("unsaid"); got != want {
			t.Errorf("log mode %q, want %q", got, want)
		}
		if got := mode("silent") + mode("said"); got != "" {
			t.Errorf("a mode that nobody needs: %q", got)
		}
		if want == "blocking" {
			put(t, a, identity.AdminARN(apitest.Site), types.SettingNameDefaultLogDriverMode, "non-blocking")
		}
	}
}
