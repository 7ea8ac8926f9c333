package acs

import json "github.com/go-json-experiment/json/v1"

// HeartbeatMessage goes from server to agent at least every 50 s: an agent
// that sees no data message for about a minute drops the connection.
type HeartbeatMessage struct {
	MessageID string `json:"messageId,omitempty"`
	Healthy   bool   `json:"healthy"`
}

// HeartbeatAckRequest answers a heartbeat.
type HeartbeatAckRequest struct {
	MessageID string `json:"messageId,omitempty"`
}

// PayloadMessage carries desired tasks. SeqNum shares one increasing counter
// per container instance with TaskManifestMessage.Timeline.
type PayloadMessage struct {
	MessageID            string `json:"messageId"`
	ClusterArn           string `json:"clusterArn"`
	ContainerInstanceArn string `json:"containerInstanceArn"`
	GeneratedAt          int64  `json:"generatedAt"` // epoch milliseconds, unused by agents
	SeqNum               int64  `json:"seqNum"`
	Tasks                []Task `json:"tasks"`

	// Bad holds the tasks that did not decode. The good ones are worked on
	// all the same; a message with bad ones is never acknowledged.
	Bad []BadTask `json:"-"`
}

// BadTask is a task of a payload that could not be read.
type BadTask struct {
	Arn string // empty when not even that could be read
	Err error
}

// UnmarshalJSON decodes all at once, and where that fails task by task, so that
// one bad task costs only itself.
func (p *PayloadMessage) UnmarshalJSON(data []byte) error {
	if p.decodeAll(data) {
		return nil
	}
	return p.decodeEach(data)
}

// plainPayload has no UnmarshalJSON.
type plainPayload PayloadMessage

// decodeAll decodes a message in which every task is good. It changes nothing
// otherwise.
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
	if wire.Tasks != nil { // none stays none, as in a frame without a message
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
			_ = json.Unmarshal(raw, &id) // best effort: the error to report is the first one
			p.Bad = append(p.Bad, BadTask{Arn: id.Arn, Err: err})
			continue
		}
		p.Tasks = append(p.Tasks, t)
	}
	return nil
}

// AckRequest acknowledges a payload, manifest or attachment message. Cluster
// and ContainerInstance echo what the message carried.
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

// IAMRoleCredentialsAckRequest acknowledges credentials, those that came with a
// payload too (one for each role, under the payload's message id).
type IAMRoleCredentialsAckRequest struct {
	MessageID     string `json:"messageId"`
	CredentialsID string `json:"credentialsId"`
	Expiration    string `json:"expiration"`
}

// TaskManifestMessage lists what should run on the instance. The agent ignores
// one whose Timeline is not newer than the newest number it knows.
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

// TaskStopVerificationMessage asks the server whether the tasks that a manifest
// left out shall really stop.
type TaskStopVerificationMessage struct {
	MessageID      string         `json:"messageId"`
	StopCandidates []ManifestTask `json:"stopCandidates"`
}

// TaskStopVerificationAck confirms those that shall. MessageID is the latest
// manifest's and counts once.
type TaskStopVerificationAck struct {
	MessageID   string         `json:"messageId"`
	GeneratedAt int64          `json:"generatedAt"`
	StopTasks   []ManifestTask `json:"stopTasks"`
}

// UpdateInfo says where a newer agent lies.
type UpdateInfo struct {
	Location  string `json:"location"`
	Signature string `json:"signature"`
}

// StageUpdateMessage asks the agent to fetch an update. Ours refuses it.
type StageUpdateMessage struct {
	MessageID            string      `json:"messageId"`
	ClusterArn           string      `json:"clusterArn"`
	ContainerInstanceArn string      `json:"containerInstanceArn"`
	UpdateInfo           *UpdateInfo `json:"updateInfo,omitempty"`
}

// PerformUpdateMessage asks the agent to change over to it. Ours refuses it.
type PerformUpdateMessage struct {
	MessageID            string      `json:"messageId"`
	ClusterArn           string      `json:"clusterArn"`
	ContainerInstanceArn string      `json:"containerInstanceArn"`
	UpdateInfo           *UpdateInfo `json:"updateInfo,omitempty"`
}

// CloseMessage and ErrorMessage are decoded and ignored by agents: only close
// frames and refused upgrades count.
type CloseMessage struct {
	Message string `json:"message,omitempty"`
}

// ErrorMessage is ignored, as CloseMessage is.
type ErrorMessage struct {
	Message string `json:"message,omitempty"`
}

// InventoryMessage is the agent's whole knowledge, sent once after each upgrade
// to a server that announced ExtensionsHeader. It tells the server about tasks
// that got lost on the way, which the stock protocol cannot.
type InventoryMessage struct {
	MessageID            string          `json:"messageId"`
	ClusterArn           string          `json:"clusterArn"`
	ContainerInstanceArn string          `json:"containerInstanceArn"`
	LatestSeqNum         int64           `json:"latestSeqNum"` // highest seqNum or timeline ever seen
	Tasks                []InventoryTask `json:"tasks"`
	Tombstones           []Tombstone     `json:"tombstones"`
}

// InventoryTask is one task that the agent holds and has not yet buried.
type InventoryTask struct {
	TaskArn       string               `json:"taskArn"`
	DesiredStatus string               `json:"desiredStatus"` // RUNNING or STOPPED
	Status        string               `json:"status"`        // PENDING, RUNNING or STOPPED, as last decided here
	Unreported    int                  `json:"unreported"`    // reports that wait for delivery
	Containers    []InventoryContainer `json:"containers"`
	// Account is there of a task that has not ended, for a server that announced
	// AccountsVersion.
	Account *TaskAccount `json:"account,omitempty"`
}

// AccountsVersion is a value of ExtensionsHeader: the server's state was restored
// from a backup, and it wants to be told all of the tasks that run here.
const AccountsVersion = "accounts-1"

// TaskAccount is what a task is, takes and has come to.
type TaskAccount struct {
	Family     string     `json:"family"`
	Version    string     `json:"version"`
	LaunchType string     `json:"launchType,omitempty"`
	CPU        int64      `json:"cpu,omitempty"`    // units
	Memory     int64      `json:"memory,omitempty"` // MiB
	TCP        []int      `json:"tcp,omitempty"`    // fixed ports of the host
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

// Tombstone says that a task ended here and must never start again, even if its
// payload comes once more. Tombstones outlive the task's clean-up.
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
