package ecs

import (
	"regexp"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/setting"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// settingsPrincipal is the principal whose settings a request is about.
type settingsPrincipal struct {
	arn string
	key string // key of the record: the ARN, or "" for the root user, whose settings are the account's
}

// rootARN returns the ARN of the account's root user. No caller signs as the root
// user here: the administrator has its rights.
func (s *Service) rootARN() string { return setting.RootARN(s.site) }

func (s *Service) iamPrefix() string {
	return "arn:" + fleet.Partition + ":iam::" + s.site.Account + ":"
}

// userOrRole is the resource of a user's or role's ARN, with its path.
var userOrRole = regexp.MustCompile(`^(user|role)/[A-Za-z0-9_+=,.@/-]{1,512}$`)

// settingsContext returns the condition keys of account settings: whether the
// caller's own settings are meant.
func settingsContext(c frontdoor.Caller, in any, key string) []string {
	if key != identity.KeyOwnSettings {
		return nil
	}
	var whose *string
	switch in := in.(type) {
	case *sdk.PutAccountSettingInput:
		whose = in.PrincipalArn
	case *sdk.DeleteAccountSettingInput:
		whose = in.PrincipalArn
	case *sdk.ListAccountSettingsInput:
		whose = in.PrincipalArn
	}
	return identity.Bool(aws.ToString(whose) == "" || *whose == c.Principal.ARN)
}

// findSettingsPrincipal returns the principal whose settings a caller means. An empty
// ARN means the caller's own.
func (s *Service) findSettingsPrincipal(caller identity.Principal, arn string) (settingsPrincipal, error) {
	if arn == "" {
		arn = caller.ARN
	}
	resource, ours := strings.CutPrefix(arn, s.iamPrefix())
	var p settingsPrincipal
	switch {
	case arn == s.rootARN():
		p = settingsPrincipal{arn: arn}
	case ours && userOrRole.MatchString(resource):
		p = settingsPrincipal{arn: arn, key: arn}
	case strings.HasPrefix(arn, "arn:"+fleet.Partition+":sts:"):
		return p, refuse.Invalid("principalArn %q is that of a session: sessions and federated users have the settings of the account and can't have their own.", arn)
	default:
		return p, refuse.Invalid("principalArn %q is not the ARN of the root user, a user or a role of account %s.", arn, s.site.Account)
	}
	return p, nil
}
