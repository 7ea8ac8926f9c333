package tcs

// Metadata is part of metrics and health messages. Fin marks the last message of a series.
type Metadata struct {
	Cluster           string `json:"cluster"`
	ContainerInstance string `json:"containerInstance"`
	Fin               bool   `json:"fin"`
	Idle              bool   `json:"idle"`
	MessageID         string `json:"messageId"`
}

// PublishMetricsRequest is sent at connect and every 20 s, with at most MaxTasksPerMessage
// tasks.
type PublishMetricsRequest struct {
	Metadata    Metadata     `json:"metadata"`
	TaskMetrics []TaskMetric `json:"taskMetrics,omitempty"`
	Timestamp   Time         `json:"timestamp"`
}

// MaxTasksPerMessage bounds PublishMetricsRequest and PublishHealthRequest.
const MaxTasksPerMessage = 10

// TaskMetric is one task's usage since the last message.
type TaskMetric struct {
	TaskArn               string            `json:"taskArn"`
	TaskDefinitionFamily  string            `json:"taskDefinitionFamily"`
	TaskDefinitionVersion string            `json:"taskDefinitionVersion"`
	ContainerMetrics      []ContainerMetric `json:"containerMetrics"`
}

// ContainerMetric is one container's usage. CPU is in percent of the whole host, memory in
// MiB without cache.
type ContainerMetric struct {
	ContainerName   string           `json:"containerName"`
	CPUStatsSet     *StatsSet        `json:"cpuStatsSet,omitempty"`
	MemoryStatsSet  *StatsSet        `json:"memoryStatsSet,omitempty"`
	NetworkStatsSet *NetworkStatsSet `json:"networkStatsSet,omitempty"`
	StorageStatsSet *StorageStatsSet `json:"storageStatsSet,omitempty"`
	RestartStatsSet *RestartStatsSet `json:"restartStatsSet,omitempty"`
}

// StatsSet summarises samples.
type StatsSet struct {
	Min         float64 `json:"min"`
	Max         float64 `json:"max"`
	SampleCount int64   `json:"sampleCount"`
	Sum         float64 `json:"sum"`
}

// ULongStatsSet summarises counters. The overflow members have what exceeds the signed
// 64-bit range.
type ULongStatsSet struct {
	Min         int64 `json:"min"`
	Max         int64 `json:"max"`
	SampleCount int64 `json:"sampleCount"`
	Sum         int64 `json:"sum"`
	OverflowMin int64 `json:"overflowMin"`
	OverflowMax int64 `json:"overflowMax"`
	OverflowSum int64 `json:"overflowSum"`
}

// NetworkStatsSet is present only for tasks in bridge mode.
type NetworkStatsSet struct {
	RxBytes          *ULongStatsSet `json:"rxBytes,omitempty"`
	RxBytesPerSecond *StatsSet      `json:"rxBytesPerSecond,omitempty"`
	RxDropped        *ULongStatsSet `json:"rxDropped,omitempty"`
	RxErrors         *ULongStatsSet `json:"rxErrors,omitempty"`
	RxPackets        *ULongStatsSet `json:"rxPackets,omitempty"`
	TxBytes          *ULongStatsSet `json:"txBytes,omitempty"`
	TxBytesPerSecond *StatsSet      `json:"txBytesPerSecond,omitempty"`
	TxDropped        *ULongStatsSet `json:"txDropped,omitempty"`
	TxErrors         *ULongStatsSet `json:"txErrors,omitempty"`
	TxPackets        *ULongStatsSet `json:"txPackets,omitempty"`
}

// StorageStatsSet is the bytes read from and written to block devices.
type StorageStatsSet struct {
	ReadSizeBytes  *ULongStatsSet `json:"readSizeBytes,omitempty"`
	WriteSizeBytes *ULongStatsSet `json:"writeSizeBytes,omitempty"`
}

// RestartStatsSet counts restarts since the previous message.
type RestartStatsSet struct {
	RestartCount int64 `json:"restartCount"`
}

// PublishHealthRequest is the only message with containers' health. The stock agent sends
// it with the metrics. Our agent also sends it when the health of a container changes.
type PublishHealthRequest struct {
	Metadata  Metadata     `json:"metadata"`
	Tasks     []TaskHealth `json:"tasks"`
	Timestamp Time         `json:"timestamp"`
}

// Values of ContainerHealth.HealthStatus.
const (
	Healthy       = "HEALTHY"
	Unhealthy     = "UNHEALTHY"
	HealthUnknown = "UNKNOWN"
)

// TaskHealth is one task's health.
type TaskHealth struct {
	TaskArn               string            `json:"taskArn"`
	TaskDefinitionFamily  string            `json:"taskDefinitionFamily"`
	TaskDefinitionVersion string            `json:"taskDefinitionVersion"`
	Containers            []ContainerHealth `json:"containers"`
}

// ContainerHealth is one container's health.
type ContainerHealth struct {
	ContainerName string `json:"containerName"`
	HealthStatus  string `json:"healthStatus"`
	StatusSince   Time   `json:"statusSince"`
}

// PublishInstanceStatusRequest reports the health of the host itself.
type PublishInstanceStatusRequest struct {
	Metadata  InstanceStatusMetadata `json:"metadata"`
	Statuses  []InstanceStatus       `json:"statuses"`
	Timestamp Time                   `json:"timestamp"`
}

// InstanceStatusMetadata is part of PublishInstanceStatusRequest.
type InstanceStatusMetadata struct {
	Cluster           string `json:"cluster"`
	ContainerInstance string `json:"containerInstance"`
	RequestID         string `json:"requestId"`
}

// Values of InstanceStatus.
const (
	StatusContainerRuntime = "ContainerRuntime" // the only type

	StatusInitializing     = "INITIALIZING"
	StatusOK               = "OK"
	StatusImpaired         = "IMPAIRED"
	StatusInsufficientData = "INSUFFICIENT_DATA"
)

// InstanceStatus is one check's result.
type InstanceStatus struct {
	Type             string `json:"type"`
	Status           string `json:"status"`
	LastUpdated      Time   `json:"lastUpdated"`
	LastStatusChange Time   `json:"lastStatusChange"`
}

// AckPublishMetric answers PublishMetricsRequest. Any answer keeps the connection open, as
// a heartbeat does.
type AckPublishMetric struct {
	Message string `json:"message,omitempty"`
}

// AckPublishHealth answers PublishHealthRequest.
type AckPublishHealth struct {
	Message string `json:"message,omitempty"`
}

// AckPublishInstanceStatus answers PublishInstanceStatusRequest.
type AckPublishInstanceStatus struct {
	Message string `json:"message,omitempty"`
}

// HeartbeatMessage may be sent by the server.
type HeartbeatMessage struct {
	Healthy bool `json:"healthy"`
}

func (*PublishMetricsRequest) kind() string        { return "PublishMetricsRequest" }
func (*PublishHealthRequest) kind() string         { return "PublishHealthRequest" }
func (*PublishInstanceStatusRequest) kind() string { return "PublishInstanceStatusRequest" }
func (*AckPublishMetric) kind() string             { return "AckPublishMetric" }
func (*AckPublishHealth) kind() string             { return "AckPublishHealth" }
func (*AckPublishInstanceStatus) kind() string     { return "AckPublishInstanceStatus" }
func (*HeartbeatMessage) kind() string             { return "HeartbeatMessage" }
