package tcs

// Metadata heads metrics and health messages. Fin marks the last message of a
// series.
type Metadata struct {
	Cluster           string `json:"cluster"`
	ContainerInstance string `json:"containerInstance"`
	Fin               bool   `json:"fin"`
	Idle              bool   `json:"idle"`
	MessageID         string `json:"messageId"`
}

// PublishMetricsRequest goes out at connect and every 20 s; at most
// MaxTasksPerMessage tasks in each.
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

// ContainerMetric is one container's. CPU is per cent of the whole host, memory
// is MiB without cache.
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

// ULongStatsSet summarises counters; the overflow members carry what exceeds
// the signed 64-bit range.
type ULongStatsSet struct {
	Min         int64 `json:"min"`
	Max         int64 `json:"max"`
	SampleCount int64 `json:"sampleCount"`
	Sum         int64 `json:"sum"`
	OverflowMin int64 `json:"overflowMin"`
	OverflowMax int64 `json:"overflowMax"`
	OverflowSum int64 `json:"overflowSum"`
}

// NetworkStatsSet is there for bridge tasks only.
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

// StorageStatsSet is bytes read from and written to block devices.
type StorageStatsSet struct {
	ReadSizeBytes  *ULongStatsSet `json:"readSizeBytes,omitempty"`
	WriteSizeBytes *ULongStatsSet `json:"writeSizeBytes,omitempty"`
}

// RestartStatsSet counts restarts since the previous message.
type RestartStatsSet struct {
	RestartCount int64 `json:"restartCount"`
}

// PublishHealthRequest is the only way health reaches the server. The stock agent
// sends it with the metrics, ours also as soon as something has changed.
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

// ContainerHealth is one container's.
type ContainerHealth struct {
	ContainerName string `json:"containerName"`
	HealthStatus  string `json:"healthStatus"`
	StatusSince   Time   `json:"statusSince"`
}

// PublishInstanceStatusRequest tells how the host itself is.
type PublishInstanceStatusRequest struct {
	Metadata  InstanceStatusMetadata `json:"metadata"`
	Statuses  []InstanceStatus       `json:"statuses"`
	Timestamp Time                   `json:"timestamp"`
}

// InstanceStatusMetadata heads it.
type InstanceStatusMetadata struct {
	Cluster           string `json:"cluster"`
	ContainerInstance string `json:"containerInstance"`
	RequestID         string `json:"requestId"`
}

// Values of InstanceStatus.
const (
	StatusContainerRuntime = "ContainerRuntime" // the one type there is

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

// AckPublishMetric, AckPublishHealth and AckPublishInstanceStatus answer the
// three; any of them, as a heartbeat does, keeps the connection alive.
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
