package ecs

import (
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/setting"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkClusterSettings checks a cluster's settings.
func checkClusterSettings(in []types.ClusterSetting) ([]types.ClusterSetting, error) {
	for i, c := range in {
		if c.Name != types.ClusterSettingNameContainerInsights {
			return nil, refuse.Invalid("settings[%d].name: %q is unknown; it must be containerInsights.", i, c.Name)
		}
		if i > 0 {
			return nil, refuse.Invalid("settings[%d].name: containerInsights is given twice.", i)
		}
		if v := aws.ToString(c.Value); v != "enabled" && v != "disabled" && v != "enhanced" {
			return nil, refuse.Invalid("Invalid setting 'value': settings[%d].value: the value of containerInsights must be enhanced, enabled or disabled, not %q.", i, v)
		}
	}
	return in, nil
}

// defaultClusterSettings returns the settings of a cluster that is created without
// any: those of the account settings of the principal that creates it.
func (s *Service) defaultClusterSettings(tx *store.Tx, maker string) []types.ClusterSetting {
	v := setting.OfTx(tx, s.site, maker, types.SettingNameContainerInsights)
	return []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String(v)}}
}

// checkClusterConfiguration checks a cluster's configuration and fills in the default
// of logging.
func checkClusterConfiguration(in *types.ClusterConfiguration) (*types.ClusterConfiguration, error) {
	if in == nil {
		return nil, nil
	}
	out := *in
	if e := in.ExecuteCommandConfiguration; e != nil {
		next := *e
		if next.Logging == "" {
			next.Logging = types.ExecuteCommandLoggingDefault
		}
		if err := checkExecLogging(&next); err != nil {
			return nil, err
		}
		if err := checkKMSKey("configuration.executeCommandConfiguration.kmsKeyId", next.KmsKeyId); err != nil {
			return nil, err
		}
		out.ExecuteCommandConfiguration = &next
	}
	if m := in.ManagedStorageConfiguration; m != nil {
		const at = "configuration.managedStorageConfiguration."
		if err := checkKMSKey(at+"kmsKeyId", m.KmsKeyId); err != nil {
			return nil, err
		}
		if err := checkKMSKey(at+"fargateEphemeralStorageKmsKeyId", m.FargateEphemeralStorageKmsKeyId); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// checkExecLogging checks where the sessions of ExecuteCommand are logged. A log
// configuration is only allowed with OVERRIDE, and OVERRIDE requires one.
func checkExecLogging(e *types.ExecuteCommandConfiguration) error {
	const at = "configuration.executeCommandConfiguration."
	l := e.LogConfiguration
	switch {
	case l == nil && e.Logging == types.ExecuteCommandLoggingOverride:
		return refuse.Invalid(at + "logConfiguration: it is required when logging is OVERRIDE.")
	case l == nil:
		return nil
	case e.Logging != types.ExecuteCommandLoggingOverride:
		return refuse.Invalid(at+"logConfiguration: it can only be given when logging is OVERRIDE, and logging is %s.", e.Logging)
	}
	group, bucket := aws.ToString(l.CloudWatchLogGroupName), aws.ToString(l.S3BucketName)
	switch {
	case group == "" && bucket == "":
		return refuse.Invalid(at + "logConfiguration: cloudWatchLogGroupName or s3BucketName is required when logging is OVERRIDE.")
	case group == "" && l.CloudWatchEncryptionEnabled:
		return refuse.Invalid(at + "logConfiguration.cloudWatchEncryptionEnabled: it needs cloudWatchLogGroupName.")
	case bucket == "" && l.S3EncryptionEnabled:
		return refuse.Invalid(at + "logConfiguration.s3EncryptionEnabled: it needs s3BucketName.")
	case bucket == "" && aws.ToString(l.S3KeyPrefix) != "":
		return refuse.Invalid(at + "logConfiguration.s3KeyPrefix: it needs s3BucketName.")
	}
	return nil
}

// checkKMSKey checks the name of a key: an id, an alias, or an ARN of the key
// service.
func checkKMSKey(field string, key *string) error {
	switch {
	case key == nil:
		return nil
	case *key == "" || len(*key) > 2048:
		return refuse.Invalid("%s: a KMS key's id, alias or ARN has 1 to 2048 characters.", field)
	case strings.HasPrefix(*key, "arn:"):
		if p := strings.SplitN(*key, ":", 6); len(p) != 6 || p[2] != "kms" || !(strings.HasPrefix(p[5], "key/") || strings.HasPrefix(p[5], "alias/")) {
			return refuse.Invalid("%s: %q is not the ARN of a KMS key or alias.", field, *key)
		}
	}
	return nil
}

// checkConnectDefaults checks a cluster's default namespace. An empty namespace
// removes the default.
func checkConnectDefaults(in *types.ClusterServiceConnectDefaultsRequest) (*types.ClusterServiceConnectDefaults, error) {
	if in == nil || aws.ToString(in.Namespace) == "" {
		return nil, nil
	}
	n := *in.Namespace
	switch {
	case len([]rune(n)) > 1024:
		return nil, refuse.Invalid("serviceConnectDefaults.namespace: a namespace's name has at most 1024 characters, not %d.", len([]rune(n)))
	case strings.HasPrefix(n, "arn:"):
		if p := strings.SplitN(n, ":", 6); len(p) != 6 || p[2] != "servicediscovery" || !strings.HasPrefix(p[5], "namespace/") {
			return nil, refuse.Invalid("serviceConnectDefaults.namespace: %q is not the ARN of a Cloud Map namespace.", n)
		}
	case strings.ContainsAny(n, `<>"/`):
		return nil, refuse.Invalid(`serviceConnectDefaults.namespace: the name %q can't include greater than (>), less than (<), double quotation marks ("), or slash (/).`, n)
	}
	return &types.ClusterServiceConnectDefaults{Namespace: aws.String(n)}, nil
}
