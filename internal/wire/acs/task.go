package acs

import (
	"fmt"
	json "github.com/go-json-experiment/json/v1"
	"log/slog"
)

// Desired statuses, upper case exactly.
const (
	StatusPending = "PENDING"
	StatusRunning = "RUNNING"
	StatusStopped = "STOPPED"
)

// Task is a task as the server orders it. An order to stop needs Arn and
// DesiredStatus only.
type Task struct {
	Arn                      string       `json:"arn"`
	DesiredStatus            string       `json:"desiredStatus"`
	TaskClusterArn           string       `json:"taskClusterArn,omitempty"`
	Family                   string       `json:"family,omitempty"`
	Version                  string       `json:"version,omitempty"` // the revision, as a string
	Containers               []Container  `json:"containers,omitempty"`
	CPU                      float64      `json:"cpu,omitempty"`    // vCPUs, not units
	Memory                   int64        `json:"memory,omitempty"` // MiB
	NetworkMode              string       `json:"networkMode,omitempty"`
	PIDMode                  string       `json:"pidMode,omitempty"`
	IPCMode                  string       `json:"ipcMode,omitempty"`
	Volumes                  []Volume     `json:"volumes,omitempty"`
	RoleCredentials          *Credentials `json:"roleCredentials,omitempty"`
	ExecutionRoleCredentials *Credentials `json:"executionRoleCredentials,omitempty"`
	LaunchType               string       `json:"launchType,omitempty"`
	Group                    string       `json:"group,omitempty"`
	ServiceName              string       `json:"serviceName,omitempty"`
	Associations             []Associated `json:"associations,omitempty"`
	Overrides                string       `json:"overrides,omitempty"` // ignored at task level
}

// UnmarshalJSON refuses what an agent must answer with UnrecogniedTaskError.
func (t *Task) UnmarshalJSON(data []byte) error {
	type plain Task
	if err := json.Unmarshal(data, (*plain)(t)); err != nil {
		return err
	}
	return t.check()
}

func (t *Task) check() error {
	switch t.DesiredStatus {
	case StatusRunning, StatusStopped:
		return nil
	default:
		return fmt.Errorf("unknown desired status %q", t.DesiredStatus)
	}
}

// Container is a container of a Task.
type Container struct {
	Name                  string                 `json:"name"`
	Image                 string                 `json:"image"`
	Essential             bool                   `json:"essential"` // false when absent
	Command               []string               `json:"command,omitempty"`
	EntryPoint            []string               `json:"entryPoint,omitempty"`
	Environment           map[string]string      `json:"environment,omitempty"`
	EnvironmentFiles      []EnvironmentFile      `json:"environmentFiles,omitempty"`
	CPU                   int64                  `json:"cpu,omitempty"`    // shares
	Memory                int64                  `json:"memory,omitempty"` // MiB, 0: no limit
	PortMappings          []PortMapping          `json:"portMappings,omitempty"`
	MountPoints           []MountPoint           `json:"mountPoints,omitempty"`
	VolumesFrom           []VolumeFrom           `json:"volumesFrom,omitempty"`
	Links                 []string               `json:"links,omitempty"` // name:alias
	DependsOn             []Dependency           `json:"dependsOn,omitempty"`
	StartTimeout          int                    `json:"startTimeout,omitempty"` // seconds
	StopTimeout           int                    `json:"stopTimeout,omitempty"`  // seconds
	HealthCheckType       string                 `json:"healthCheckType,omitempty"`
	RestartPolicy         *RestartPolicy         `json:"restartPolicy,omitempty"`
	Overrides             ContainerOverrides     `json:"overrides,omitzero"`
	DockerConfig          *DockerConfig          `json:"dockerConfig,omitempty"`
	Secrets               []Secret               `json:"secrets,omitempty"`
	RegistryAuth          *RegistryAuth          `json:"registryAuthentication,omitempty"`
	LogsAuthStrategy      string                 `json:"logsAuthStrategy,omitempty"`
	FirelensConfiguration *FirelensConfiguration `json:"firelensConfiguration,omitempty"`
	ManagedAgents         []ManagedAgent         `json:"managedAgents,omitempty"`
	ContainerArn          string                 `json:"containerArn,omitempty"`
}

// HealthCheckDocker is the only HealthCheckType. The check itself is in
// DockerConfig.Config.
const HealthCheckDocker = "docker"

// ContainerOverrides is encoded as a string that contains JSON with one key.
type ContainerOverrides struct {
	Command []string
}

// IsZero makes an empty override be left out.
func (o ContainerOverrides) IsZero() bool { return o.Command == nil }

// MarshalJSON encodes the string form.
func (o ContainerOverrides) MarshalJSON() ([]byte, error) {
	inner, err := json.Marshal(struct {
		Command []string `json:"command,omitempty"`
	}{o.Command})
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(inner))
}

// UnmarshalJSON accepts only `command`. Any other key makes the task unrecognised, as in
// the stock agent.
func (o *ContainerOverrides) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("overrides: %w", err)
	}
	*o = ContainerOverrides{}
	if text == "" {
		return nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return fmt.Errorf("overrides: %w", err)
	}
	for k, v := range keys {
		if k != "command" {
			return fmt.Errorf("overrides: unknown key %q", k)
		}
		if err := json.Unmarshal(v, &o.Command); err != nil {
			return fmt.Errorf("overrides: command: %w", err)
		}
	}
	return nil
}

// EnvironmentFile names a file of variables.
type EnvironmentFile struct {
	Value string `json:"value"`
	Type  string `json:"type"`
}

// PortMapping has either a port or a range. HostPort 0 lets the agent choose.
type PortMapping struct {
	ContainerPort      int    `json:"containerPort,omitempty"`
	HostPort           int    `json:"hostPort,omitempty"`
	ContainerPortRange string `json:"containerPortRange,omitempty"` // a-b
	Protocol           string `json:"protocol,omitempty"`           // lower case; absent: tcp
}

// MountPoint mounts one of the task's volumes.
type MountPoint struct {
	SourceVolume  string `json:"sourceVolume"`
	ContainerPath string `json:"containerPath"`
	ReadOnly      bool   `json:"readOnly,omitempty"`
}

// VolumeFrom mounts another container's volumes.
type VolumeFrom struct {
	SourceContainer string `json:"sourceContainer"`
	ReadOnly        bool   `json:"readOnly,omitempty"`
}

// Conditions of a Dependency.
const (
	ConditionCreate   = "CREATE" // never on the wire: the condition of volumesFrom
	ConditionStart    = "START"
	ConditionComplete = "COMPLETE"
	ConditionSuccess  = "SUCCESS"
	ConditionHealthy  = "HEALTHY"
)

// Dependency orders containers of one task.
type Dependency struct {
	ContainerName string `json:"containerName"`
	Condition     string `json:"condition"`
}

// RestartPolicy restarts a container in place.
type RestartPolicy struct {
	Enabled              bool  `json:"enabled"`
	IgnoredExitCodes     []int `json:"ignoredExitCodes,omitempty"`
	RestartAttemptPeriod int   `json:"restartAttemptPeriod,omitempty"` // seconds
}

// DockerConfig has engine settings as strings that contain JSON in the Docker API's
// format. Agents decode them over the values of the typed fields, so a key that is null or
// zero erases a value. Write only keys that are set.
type DockerConfig struct {
	Version    string `json:"version,omitempty"`
	Config     string `json:"config,omitempty"`
	HostConfig string `json:"hostConfig,omitempty"`
}

// Secret is a value that the agent reads itself.
type Secret struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
	Region    string `json:"region,omitempty"`
	Provider  string `json:"provider,omitempty"` // ssm or asm
	Type      string `json:"type,omitempty"`
	Target    string `json:"target,omitempty"`
}

// RegistryAuth says where the credentials of an image's registry are.
type RegistryAuth struct {
	Type        string       `json:"type"` // asm or ecr
	ASMAuthData *ASMAuthData `json:"asmAuthData,omitempty"`
	ECRAuthData *ECRAuthData `json:"ecrAuthData,omitempty"`
}

// ASMAuthData names a secret with username and password.
type ASMAuthData struct {
	CredentialsParameter string `json:"credentialsParameter"`
	Region               string `json:"region,omitempty"`
}

// ECRAuthData names an ECR registry.
type ECRAuthData struct {
	RegistryID       string `json:"registryId"`
	Region           string `json:"region,omitempty"`
	EndpointOverride string `json:"endpointOverride,omitempty"`
	UseExecutionRole bool   `json:"useExecutionRole,omitempty"`
}

// FirelensConfiguration makes a container the log router of its task.
type FirelensConfiguration struct {
	Type    string            `json:"type"`
	Options map[string]string `json:"options,omitempty"`
}

// ManagedAgent requests a helper process inside the container.
type ManagedAgent struct {
	Name       string            `json:"name"`
	Properties map[string]string `json:"properties,omitempty"`
}

// Associated is a device for containers. The server chooses it.
type Associated struct {
	Type       string   `json:"type"` // gpu
	Name       string   `json:"name"`
	Containers []string `json:"containers"`
	Content    Content  `json:"content"`
}

// Content is the content of an association.
type Content struct {
	Value    string `json:"value"`
	Encoding string `json:"encoding"`
}

// Volume types. A missing type means host.
const (
	VolumeHost   = "host"
	VolumeDocker = "docker"
	VolumeEFS    = "efs"
)

// Volume is a volume of the task. A host volume needs Host, even if empty.
type Volume struct {
	Name   string        `json:"name"`
	Type   string        `json:"type,omitempty"`
	Host   *HostVolume   `json:"host,omitempty"`
	Docker *DockerVolume `json:"dockerVolumeConfiguration,omitempty"`
	EFS    *EFSVolume    `json:"efsVolumeConfiguration,omitempty"`
}

// UnmarshalJSON rejects a host volume without the key host.
func (v *Volume) UnmarshalJSON(data []byte) error {
	type plain Volume
	if err := json.Unmarshal(data, (*plain)(v)); err != nil {
		return err
	}
	if (v.Type == "" || v.Type == VolumeHost) && v.Host == nil {
		return fmt.Errorf("volume %q: host volume without host", v.Name)
	}
	return nil
}

// HostVolume binds a path of the host. Without a path the task gets an anonymous volume
// that is removed with it.
type HostVolume struct {
	SourcePath string `json:"sourcePath,omitempty"`
}

// DockerVolume is a volume of the container engine.
type DockerVolume struct {
	Scope         string            `json:"scope,omitempty"` // task or shared
	Autoprovision bool              `json:"autoprovision,omitempty"`
	Driver        string            `json:"driver,omitempty"`
	DriverOpts    map[string]string `json:"driverOpts,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
}

// EFSVolume is a network file system.
type EFSVolume struct {
	FileSystemID          string `json:"fileSystemId"`
	RootDirectory         string `json:"rootDirectory,omitempty"`
	TransitEncryption     string `json:"transitEncryption,omitempty"`
	TransitEncryptionPort int    `json:"transitEncryptionPort,omitempty"`
}

// Credentials are temporary keys of a role. They are only in memory and redact themselves
// when printed or logged.
type Credentials struct {
	CredentialsID   string `json:"credentialsId"`
	RoleArn         string `json:"roleArn"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	Expiration      string `json:"expiration"` // RFC 3339 UTC, opaque to the agent
}

// String, GoString and LogValue name only the role. With the id, any process that reaches
// the credentials endpoint can read the keys.
func (c Credentials) String() string       { return "credentials of " + c.RoleArn }
func (c Credentials) GoString() string     { return c.String() }
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }
