package acs

import json "github.com/go-json-experiment/json/v1"

// HeartbeatMessage is sent by the server at least every 50 s. An agent that gets no data
// message for about a minute closes the connection.
type HeartbeatMessage struct {
	MessageID string `json:"messageId,omitempty"`
	Healthy   bool   `json:"healthy"`
}

// HeartbeatAckRequest answers a heartbeat.
type HeartbeatAckRequest struct {
	MessageID string `json:"messageId,omitempty"`
}

// PayloadMessage orders tasks. SeqNum and TaskManifestMessage.Timeline share one
// increasing counter for each container instance.
type PayloadMessage struct {
	MessageID            string `json:"messageId"`
	ClusterArn           string `json:"clusterArn"`
	ContainerInstanceArn string `json:"containerInstanceArn"`
	GeneratedAt          int64  `json:"generatedAt"` // epoch milliseconds, unused by agents
	SeqNum               int64  `json:"seqNum"`
	Tasks                []Task `json:"tasks"`

	// Bad are the tasks that could not be decoded. The others are processed. A message
	// with bad tasks is never acknowledged.
	Bad []BadTask `json:"-"`
}

// BadTask is a task of a payload that could not be decoded.
type BadTask struct {
	Arn string // empty if it could not be decoded either
	Err error
}

// UnmarshalJSON decodes all tasks at once. If that fails, it decodes them one by one, so
// that one bad task affects only itself.
func (p *PayloadMessage) UnmarshalJSON(data []byte) error {
	if p.decodeAll(data) {
		return nil
	}
	return p.decodeEach(data)
}

// plainPayload has no UnmarshalJSON.
type plainPayload PayloadMessage

// decodeAll decodes a message in which every task is good. Otherwise it changes nothing
// and returns false.
func (p *PayloadMessage) decodeAll(data []byte) bool {
	type unchecked Task // without its UnmarshalJSON
	var wire struct {
		plainPayload
		Tasks []unchecked `json:"tasks"`
	}
	if json.Unmarshal(data, &wire) != nil {
		return false
	}
	var tasks []Task
	if wire.Tasks != nil { // nil stays nil, as in a frame without a message
		tasks = make([]Task, len(wire.Tasks))
	}
	for i := range tasks {
		tasks[i] = Task(wire.Tasks[i])
		if tasks[i].check() != nil {
			return false
		}
	}
	*p = PayloadMessage(wire.plainPayload)
	p.Tasks = tasks
	return true
}

func (p *PayloadMessage) decodeEach(data []byte) error {
	wire := struct {
		*plainPayload
		Tasks []json.RawMessage `json:"tasks"`
	}{plainPayload: (*plainPayload)(p)}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	p.Tasks, p.Bad = nil, nil
	if wire.Tasks != nil {
		p.Tasks = make([]Task, 0, len(wire.Tasks))
	}
	for _, raw := range wire.Tasks {
		var t Task
		if err := json.Unmarshal(raw, &t); err != nil {
			var id struct {
				Arn string `json:"arn"`
			}
			_ = json.Unmarshal(raw, &id) // best effort: the first error is the one to report
			p.Bad = append(p.Bad, BadTask{Arn: id.Arn, Err: err})
			continue
		}
		p.Tasks = append(p.Tasks, t)
	}
	return nil
}

// AckRequest acknowledges a payload, manifest or attachment message. Cluster and
// ContainerInstance are those of the message.
type AckRequest struct {
	Cluster           string `json:"cluster"`
	ContainerInstance string `json:"containerInstance"`
	MessageID         string `json:"messageId"`
}

// NackRequest refuses an update message.
type NackRequest struct {
	Cluster           string `json:"cluster"`
	ContainerInstance string `json:"containerInstance"`
	MessageID         string `json:"messageId"`
	Reason            string `json:"reason"`
}

// Values of IAMRoleCredentialsMessage.RoleType.
const (
	RoleTaskApplication = "TaskApplication"
	RoleTaskExecution   = "TaskExecution"
)

// IAMRoleCredentialsMessage refreshes a task's credentials. CredentialsID stays
// the same for the life of the task: its URL is in the containers' environment.
type IAMRoleCredentialsMessage struct {
	MessageID       string       `json:"messageId"`
	TaskArn         string       `json:"taskArn"`
	TaskClusterArn  string       `json:"taskClusterArn,omitempty"`
	RoleType        string       `json:"roleType"`
	RoleCredentials *Credentials `json:"roleCredentials"`
}

// IAMRoleCredentialsAckRequest acknowledges credentials. Credentials of a payload are
// acknowledged too, one by one, with the payload's message id.
type IAMRoleCredentialsAckRequest struct {
	MessageID     string `json:"messageId"`
	CredentialsID string `json:"credentialsId"`
	Expiration    string `json:"expiration"`
}

// TaskManifestMessage lists the tasks that should run on the instance. The agent ignores a
// manifest whose Timeline is not greater than the greatest number that it knows.
type TaskManifestMessage struct {
	MessageID            string         `json:"messageId"`
	ClusterArn           string         `json:"clusterArn"`
	ContainerInstanceArn string         `json:"containerInstanceArn"`
	GeneratedAt          int64          `json:"generatedAt"`
	Timeline             int64          `json:"timeline"`
	Tasks                []ManifestTask `json:"tasks"`
}

// ManifestTask needs both TaskArn and DesiredStatus: the stock agent panics
// without them.
type ManifestTask struct {
	TaskArn        string `json:"taskArn"`
	TaskClusterArn string `json:"taskClusterArn,omitempty"`
	DesiredStatus  string `json:"desiredStatus"`
}

// TaskStopVerificationMessage asks the server whether the tasks that a manifest does not
// list should really stop.
type TaskStopVerificationMessage struct {
	MessageID      string         `json:"messageId"`
	StopCandidates []ManifestTask `json:"stopCandidates"`
}

// TaskStopVerificationAck confirms the tasks to stop. MessageID is that of the latest
// manifest, and is valid once.
type TaskStopVerificationAck struct {
	MessageID   string         `json:"messageId"`
	GeneratedAt int64          `json:"generatedAt"`
	StopTasks   []ManifestTask `json:"stopTasks"`
}

// UpdateInfo says where a newer agent can be downloaded.
type UpdateInfo struct {
	Location  string `json:"location"`
	Signature string `json:"signature"`
}

// StageUpdateMessage asks the agent to download an update. Our agent refuses it.
type StageUpdateMessage struct {
	MessageID            string      `json:"messageId"`
	ClusterArn           string      `json:"clusterArn"`
	ContainerInstanceArn string      `json:"containerInstanceArn"`
	UpdateInfo           *UpdateInfo `json:"updateInfo,omitempty"`
}

// PerformUpdateMessage asks the agent to install the update. Our agent refuses it.
type PerformUpdateMessage struct {
	MessageID            string      `json:"messageId"`
	ClusterArn           string      `json:"clusterArn"`
	ContainerInstanceArn string      `json:"containerInstanceArn"`
	UpdateInfo           *UpdateInfo `json:"updateInfo,omitempty"`
}

// CloseMessage is ignored by agents. Only close frames and refused upgrades have an
// effect.
type CloseMessage struct {
	Message string `json:"message,omitempty"`
}

// ErrorMessage is ignored by agents.
type ErrorMessage struct {
	Message string `json:"message,omitempty"`
}

// InventoryMessage is the agent's whole state. The agent sends it once after each upgrade
// to a server that announced ExtensionsVersion. It shows the server which tasks were lost
// on the way. The stock protocol can't do that.
type InventoryMessage struct {
	MessageID            string          `json:"messageId"`
	ClusterArn           string          `json:"clusterArn"`
	ContainerInstanceArn string          `json:"containerInstanceArn"`
	LatestSeqNum         int64           `json:"latestSeqNum"` // highest seqNum or timeline so far
	Tasks                []InventoryTask `json:"tasks"`
	Tombstones           []Tombstone     `json:"tombstones"`
}

// InventoryTask is one task that the agent has and has not cleaned up.
type InventoryTask struct {
	TaskArn       string               `json:"taskArn"`
	DesiredStatus string               `json:"desiredStatus"` // RUNNING or STOPPED
	Status        string               `json:"status"`        // PENDING, RUNNING or STOPPED
	Unreported    int                  `json:"unreported"`    // number of reports that wait for delivery
	Containers    []InventoryContainer `json:"containers"`
	// Account is set for a task that has not ended, if the server announced
	// AccountsVersion.
	Account *TaskAccount `json:"account,omitempty"`
}

// AccountsVersion is a value of ExtensionsHeader: the server's state was restored from a
// backup, and it wants a full account of each task.
const AccountsVersion = "accounts-1"

// TaskAccount describes a task: its definition, its resources and its state.
type TaskAccount struct {
	Family     string     `json:"family"`
	Version    string     `json:"version"`
	LaunchType string     `json:"launchType,omitempty"`
	CPU        int64      `json:"cpu,omitempty"`    // units
	Memory     int64      `json:"memory,omitempty"` // MiB
	TCP        []int      `json:"tcp,omitempty"`    // fixed host ports
	UDP        []int      `json:"udp,omitempty"`
	GPUs       []string   `json:"gpus,omitempty"`
	Report     TaskReport `json:"report"`
}

// InventoryContainer is a container of an InventoryTask.
type InventoryContainer struct {
	ContainerName string `json:"containerName"`
	RuntimeID     string `json:"runtimeId,omitempty"`
	Status        string `json:"status"`
	ExitCode      *int   `json:"exitCode,omitempty"`
}

// Tombstone says that a task ended here and must never start again, even if it is ordered
// again. Tombstones outlive the task's clean-up.
type Tombstone struct {
	TaskArn   string `json:"taskArn"`
	StoppedAt int64  `json:"stoppedAt"` // epoch milliseconds
}

func (*HeartbeatMessage) kind() string             { return "HeartbeatMessage" }
func (*HeartbeatAckRequest) kind() string          { return "HeartbeatAckRequest" }
func (*PayloadMessage) kind() string               { return "PayloadMessage" }
func (*AckRequest) kind() string                   { return "AckRequest" }
func (*NackRequest) kind() string                  { return "NackRequest" }
func (*IAMRoleCredentialsMessage) kind() string    { return "IAMRoleCredentialsMessage" }
func (*IAMRoleCredentialsAckRequest) kind() string { return "IAMRoleCredentialsAckRequest" }
func (*TaskManifestMessage) kind() string          { return "TaskManifestMessage" }
func (*TaskStopVerificationMessage) kind() string  { return "TaskStopVerificationMessage" }
func (*TaskStopVerificationAck) kind() string      { return "TaskStopVerificationAck" }
func (*StageUpdateMessage) kind() string           { return "StageUpdateMessage" }
func (*PerformUpdateMessage) kind() string         { return "PerformUpdateMessage" }
func (*CloseMessage) kind() string                 { return "CloseMessage" }
func (*ErrorMessage) kind() string                 { return "ErrorMessage" }
func (*InventoryMessage) kind() string             { return "InventoryMessage" }
