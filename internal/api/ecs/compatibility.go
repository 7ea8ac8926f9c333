package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// compatibilities computes the launch types that a valid definition suits, and
// refuses it where it does not suit those that it requires.
func compatibilities(def *sdk.RegisterTaskDefinitionInput) ([]types.Compatibility, error) {
	var out []types.Compatibility
	why := map[types.Compatibility]error{
		types.CompatibilityExternal:         externalRefusal(def),
		types.CompatibilityEc2:              ec2Refusal(def),
		types.CompatibilityFargate:          fargateRefusal(def),
		types.CompatibilityManagedInstances: managedRefusal(def),
	}
	for _, c := range []types.Compatibility{types.CompatibilityExternal, types.CompatibilityEc2, types.CompatibilityFargate, types.CompatibilityManagedInstances} {
		if why[c] == nil {
			out = append(out, c)
		}
	}
	if def.EphemeralStorage != nil && why[types.CompatibilityFargate] != nil {
		return nil, client("ephemeralStorage is only supported for tasks on Fargate. %s", message(why[types.CompatibilityFargate]))
	}
	for _, c := range def.RequiresCompatibilities {
		err, known := why[c]
		if !known {
			return nil, client("Invalid setting for requiresCompatibilities: %q is unknown; known are EC2, FARGATE, EXTERNAL and MANAGED_INSTANCES.", c)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, why[types.CompatibilityEc2]
	}
	return out, nil
}

// message is the text of a refusal.
func message(err error) string {
	if e, ok := err.(smithy.APIError); ok {
		return e.ErrorMessage()
	}
	return err.Error()
}

// notRunnable says why Ashore's hosts can't run a definition yet. It registers
// nevertheless: it is right, and a later version runs it.
func notRunnable(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) error {
	no := func(what string) error { return unsupported("Ashore does not run %s yet.", what) }
	taskRole := def.TaskRoleArn
	if o != nil && o.TaskRoleArn != nil {
		taskRole = o.TaskRoleArn
	}
	switch {
	case aws.ToString(taskRole) != "":
		return no("task definitions with a taskRoleArn: it has no credentials to give to tasks")
	case def.PidMode == types.PidModeTask:
		return no("task definitions with pidMode task; host is run")
	case def.IpcMode == types.IpcModeTask:
		return no("task definitions with ipcMode task; host and none are run")
	case def.ProxyConfiguration != nil:
		return no("task definitions with a proxyConfiguration")
	case len(def.InferenceAccelerators) > 0:
		return no("task definitions with inferenceAccelerators")
	}
	for _, v := range def.Volumes {
		switch {
		case v.EfsVolumeConfiguration != nil:
			return no("EFS volumes (volume '" + aws.ToString(v.Name) + "')")
		case v.FsxWindowsFileServerVolumeConfiguration != nil:
			return no("FSx volumes (volume '" + aws.ToString(v.Name) + "')")
		case v.S3filesVolumeConfiguration != nil:
			return no("S3 volumes (volume '" + aws.ToString(v.Name) + "')")
		case aws.ToBool(v.ConfiguredAtLaunch):
			return no("volumes configured at launch (volume '" + aws.ToString(v.Name) + "')")
		}
	}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		what := ""
		co := containerOverride(o, aws.ToString(c.Name))
		switch {
		case len(c.Secrets) > 0:
			what = "secrets"
		case len(c.EnvironmentFiles) > 0 || (co != nil && len(co.EnvironmentFiles) > 0):
			what = "environmentFiles"
		case c.RepositoryCredentials != nil:
			what = "repositoryCredentials"
		case c.FirelensConfiguration != nil:
			what = "firelensConfiguration"
		case len(c.CredentialSpecs) > 0:
			what = "credentialSpecs"
		case slices.ContainsFunc(c.ResourceRequirements, func(r types.ResourceRequirement) bool {
			return r.Type == types.ResourceTypeNeuronDevice || r.SharingStrategy != nil || r.Type == types.ResourceTypeGpu && aws.ToString(r.Value) == "ALL"
		}):
			what = "resourceRequirements other than a number of GPUs"
		case c.LogConfiguration != nil && len(c.LogConfiguration.SecretOptions) > 0:
			what = "logConfiguration.secretOptions"
		case c.LogConfiguration != nil && c.LogConfiguration.LogDriver == types.LogDriverAwsfirelens:
			what = "the log driver awsfirelens"
		}
		if what != "" {
			return no(what + " (container '" + aws.ToString(c.Name) + "')")
		}
	}
	return nil
}

func windows(f types.OSFamily) bool { return f != "" && f != types.OSFamilyLinux }
