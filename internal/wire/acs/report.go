package acs

import "time"

// ReportsVersion is a value of ExtensionsHeader: the server accepts ReportMessages.
const ReportsVersion = "reports-1"

// AcksVersion is a value of ExtensionsHeader: the server accepts a ReportMessage's Acks.
const AcksVersion = "acks-1"

// RangesVersion is a value of ExtensionsHeader: the server accepts port ranges in a
// ReportMessage's bindings.
const RangesVersion = "ranges-1"

// MaxReports is the largest number of reports in one message.
const MaxReports = 100

// ReportMessage has the content of SubmitTaskStateChange for many tasks. An agent sends it
// only to a server that announced ReportsVersion. It uses API calls for other servers, and
// for reports that such a server refuses. A task occurs only once: its next report follows
// when this message is acknowledged.
type ReportMessage struct {
	MessageID            string       `json:"messageId"`
	ClusterArn           string       `json:"clusterArn"`
	ContainerInstanceArn string       `json:"containerInstanceArn"`
	Reports              []TaskReport `json:"reports"`

	// Acks are the ids of messages that an AckRequest would acknowledge. They count
	// when the message arrives, even if reports are refused. Only a server that
	// announced AcksVersion knows them.
	Acks []string `json:"acks,omitempty"`
}

// TaskReport is one task's part of a ReportMessage.
type TaskReport struct {
	TaskArn            string            `json:"taskArn"`
	Status             string            `json:"status"`
	Reason             string            `json:"reason,omitempty"`
	PullStartedAt      Millis            `json:"pullStartedAt,omitempty"`
	PullStoppedAt      Millis            `json:"pullStoppedAt,omitempty"`
	ExecutionStoppedAt Millis            `json:"executionStoppedAt,omitempty"`
	Containers         []ContainerReport `json:"containers,omitempty"`
	// Pulls are all running pulls of a PENDING task's images. API calls do not have
	// them.
	Pulls []Pull `json:"pulls,omitempty"`
}

// Pull describes a container whose image is being pulled.
type Pull struct {
	ContainerName string `json:"containerName"`
	StartedAt     Millis `json:"startedAt"`
}

// ContainerReport is a container's part of a TaskReport.
type ContainerReport struct {
	ContainerName   string           `json:"containerName"`
	RuntimeID       string           `json:"runtimeId,omitempty"`
	Status          string           `json:"status"`
	ExitCode        *int32           `json:"exitCode,omitempty"`
	ImageDigest     string           `json:"imageDigest,omitempty"`
	Reason          string           `json:"reason,omitempty"`
	NetworkBindings []NetworkBinding `json:"networkBindings,omitempty"`
}

// NetworkBinding is a port of a container on its host, or a range of ports. With a range,
// ContainerPort and HostPort are 0. Only a server that announced RangesVersion knows
// ranges.
type NetworkBinding struct {
	BindIP             string `json:"bindIP,omitempty"`
	ContainerPort      int32  `json:"containerPort"`
	HostPort           int32  `json:"hostPort"`
	ContainerPortRange string `json:"containerPortRange,omitempty"` // "8000-8005"
	HostPortRange      string `json:"hostPortRange,omitempty"`
	Protocol           string `json:"protocol,omitempty"`
}

// ReportAck answers a ReportMessage after its reports are committed. The reports of the
// refused tasks were not stored. The agent must submit them by API calls, which return the
// reason.
type ReportAck struct {
	MessageID string   `json:"messageId"`
	Refused   []string `json:"refused,omitempty"` // ARNs
}

// Millis is a time in epoch milliseconds. 0 means no time.
type Millis int64

// MillisOf converts a time.
func MillisOf(t time.Time) Millis {
	if t.IsZero() {
		return 0
	}
	return Millis(t.UnixMilli())
}

// Time converts back.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

func (*ReportMessage) kind() string { return "ReportMessage" }
func (*ReportAck) kind() string     { return "ReportAck" }
