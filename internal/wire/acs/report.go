package acs

import "time"

// ReportsVersion is one more value of ExtensionsHeader: the server takes
// ReportMessages.
const ReportsVersion = "reports-1"

// AcksVersion is one more: the server takes a ReportMessage's Acks.
const AcksVersion = "acks-1"

// RangesVersion is one more: the server takes ranges in a ReportMessage's bindings.
const RangesVersion = "ranges-1"

// MaxReports bounds the reports of one message.
const MaxReports = 100

// ReportMessage carries what SubmitTaskStateChange says, for many tasks at once.
// It is sent only to a server that announced ReportsVersion; the calls remain for
// every other one and for what such a server refuses. A task occurs once: its next
// report follows when this one is acknowledged.
type ReportMessage struct {
	MessageID            string       `json:"messageId"`
	ClusterArn           string       `json:"clusterArn"`
	ContainerInstanceArn string       `json:"containerInstanceArn"`
	Reports              []TaskReport `json:"reports"`

	// Acks are the ids of messages that an AckRequest would acknowledge. They
	// count when the message comes, whatever becomes of the reports. Only a server
	// that announced AcksVersion knows them.
	Acks []string `json:"acks,omitempty"`
}

// TaskReport is one task's part of it.
type TaskReport struct {
	TaskArn            string            `json:"taskArn"`
	Status             string            `json:"status"`
	Reason             string            `json:"reason,omitempty"`
	PullStartedAt      Millis            `json:"pullStartedAt,omitempty"`
	PullStoppedAt      Millis            `json:"pullStoppedAt,omitempty"`
	ExecutionStoppedAt Millis            `json:"executionStoppedAt,omitempty"`
	Containers         []ContainerReport `json:"containers,omitempty"`
	// Pulls are all pulls of a PENDING task's images that are under way. The calls
	// have no place for them.
	Pulls []Pull `json:"pulls,omitempty"`
}

// Pull is a container whose image is being pulled.
type Pull struct {
	ContainerName string `json:"containerName"`
	StartedAt     Millis `json:"startedAt"`
}

// ContainerReport is what a TaskReport says of a container.
type ContainerReport struct {
	ContainerName   string           `json:"containerName"`
	RuntimeID       string           `json:"runtimeId,omitempty"`
	Status          string           `json:"status"`
	ExitCode        *int32           `json:"exitCode,omitempty"`
	ImageDigest     string           `json:"imageDigest,omitempty"`
	Reason          string           `json:"reason,omitempty"`
	NetworkBindings []NetworkBinding `json:"networkBindings,omitempty"`
}

// NetworkBinding is a port of a container on its host, or a range of them: then
// ContainerPort and HostPort are 0. Only a server that announced RangesVersion
// knows ranges.
type NetworkBinding struct {
	BindIP             string `json:"bindIP,omitempty"`
	ContainerPort      int32  `json:"containerPort"`
	HostPort           int32  `json:"hostPort"`
	ContainerPortRange string `json:"containerPortRange,omitempty"` // "8000-8005"
	HostPortRange      string `json:"hostPortRange,omitempty"`
	Protocol           string `json:"protocol,omitempty"`
}

// ReportAck answers a ReportMessage once its reports are committed. Those of the
// refused tasks were not taken: they are to be submitted by the call, which says
// why.
type ReportAck struct {
	MessageID string   `json:"messageId"`
	Refused   []string `json:"refused,omitempty"` // ARNs
}

// Millis is a time as epoch milliseconds; 0 is none.
type Millis int64

// MillisOf takes a time over.
func MillisOf(t time.Time) Millis {
	if t.IsZero() {
		return 0
	}
	return Millis(t.UnixMilli())
}

// Time gives it back.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

func (*ReportMessage) kind() string { return "ReportMessage" }
func (*ReportAck) kind() string     { return "ReportAck" }
