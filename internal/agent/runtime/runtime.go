// Package runtime defines what the agent needs of a container engine, and nothing that
// only one engine has. runtime/docker uses Docker Engine. runtime/fake is for tests and
// simulated hosts. The tests in runtime/conformance check that all implementations behave
// alike.
package runtime

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"
)

// Kinds of errors. An Error's text is the engine's own and can be shown to users.
var (
	ErrNotFound  = errors.New("not found")
	ErrNameTaken = errors.New("name taken")
	ErrPortTaken = errors.New("port taken")
	ErrRunning   = errors.New("container is running")
	// ErrNotRunning: it was not started, or it has ended.
	ErrNotRunning = errors.New("container is not running")
	// ErrUnsupported: the engine can't do this, in this case or at all.
	ErrUnsupported = errors.New("not supported")
	ErrConfig      = errors.New("settings cannot be used")
	// ErrUnreachable: the engine did not answer, so the result of the request is
	// unknown.
	ErrUnreachable = errors.New("engine unreachable")
)

// Error is an engine's error with its kind.
type Error struct {
	Kind error // one of the above, or nil
	Err  error
}

func (e *Error) Error() string   { return e.Err.Error() }
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Runtime runs containers. Methods may be called from many goroutines.
type Runtime interface {
	// Ping checks that the engine answers.
	Ping(ctx context.Context) error
	Info(ctx context.Context) (Info, error)

	// Image finds an image on the host by its reference.
	Image(ctx context.Context, ref string) (Image, error)
	// Pull pulls an image from its registry and returns when that is done. It calls
	// progress whenever a part has arrived.
	Pull(ctx context.Context, ref string, progress func()) error
	// Load reads an image archive and returns the references in it.
	Load(ctx context.Context, archive io.Reader) ([]string, error)
	RemoveImage(ctx context.Context, ref string) error

	// Create creates a container but does not start it. It fails with ErrNameTaken if a
	// container of that name exists.
	Create(ctx context.Context, spec Spec) (Created, error)
	// Start starts a container. After success the container has started, but it may
	// have ended already.
	Start(ctx context.Context, id string) error
	// Stop sends the stop signal. After the timeout it kills the container. It returns
	// when the container has ended. It returns no error if the container had ended
	// before.
	Stop(ctx context.Context, id string, timeout time.Duration) error
	// Remove removes a container and its anonymous volumes. Without force it fails with
	// ErrRunning if the container runs. It returns no error if the container does not
	// exist.
	Remove(ctx context.Context, id string, force bool) error
	// Inspect returns a container, by id or name.
	Inspect(ctx context.Context, id string) (Container, error)
	// List returns the containers, running or not, that have all labels. Only ID, Name,
	// Image, Labels and Phase are set.
	List(ctx context.Context, labels map[string]string) ([]Container, error)
	Stats(ctx context.Context, id string) (Stats, error)

	// Events calls on for each event of the containers that have all labels, in the
	// engine's order. It returns when the context ends or the stream breaks, and says
	// why. It calls subscribed when from then on no event is missed.
	Events(ctx context.Context, labels map[string]string, subscribed func(), on func(Event)) error

	// Exec runs a command in a running container. It returns the exit code when the
	// command has ended and all of its output is written. It fails with ErrNotRunning
	// if the container does not run. If ctx ends, or output can't be written, the
	// command is killed; the error says why, and whether the command may go on. A
	// command that does not exist ends with 126 or 127.
	Exec(ctx context.Context, id string, e Exec) (code int, err error)
	// Output calls on for each line of a container's output after a position, old and
	// new ones, in the engine's order. It calls begun before the first. It returns nil
	// when the container does not run and all lines were passed. If it returns an
	// error, which may be on's, the next reading can continue after the last line
	// passed. It fails with ErrUnsupported if the container's log can't be read.
	Output(ctx context.Context, id string, from Position, begun func(), on func(Line) error) error

	CreateVolume(ctx context.Context, v Volume) error
	// VolumeExists reports whether a volume of that name exists.
	VolumeExists(ctx context.Context, name string) (bool, error)
	// RemoveVolume removes a volume. It returns no error if the volume does not exist.
	RemoveVolume(ctx context.Context, name string) error

	Close() error
}

// Info describes the engine and its host.
type Info struct {
	Engine        string // "docker"
	Version       string
	APIVersion    string
	CPUs          int
	Memory        int64 // bytes
	Architecture  string
	LogDrivers    []string
	VolumeDrivers []string
	// CgroupParents says in which form a container accepts the cgroup of its task: as a
	// path (CgroupPath), as a slice (CgroupSlice), or not at all ("").
	CgroupParents string
	CgroupVersion int
	Rootless      bool
}

// The forms of cgroup parents: an absolute path in the host's cgroup hierarchy, or the
// name of a systemd slice.
const (
	CgroupPath  = "path"
	CgroupSlice = "slice"
)

// Image is an image on the host.
type Image struct {
	ID string
	// Digest is the manifest's digest in the image's registry, "sha256:…". It is empty
	// if the image was never in a registry.
	Digest string
	Env    []string
}

// Spec describes a container to create.
type Spec struct {
	Name   string
	Image  string
	Labels map[string]string

	// The program. Empty values mean the image's.
	Command    []string
	EntryPoint []string
	Env        []string // NAME=value
	User       string   // name or id, optionally with :group
	WorkingDir string
	TTY        bool // the program has a terminal
	Stdin      bool // the program has an open standard input
	Init       *bool
	StopSignal string
	// StopTimeout is how long the container may take if it is stopped without a
	// timeout: by the engine itself when it shuts down, or by a user. 0: the engine's
	// default.
	StopTimeout time.Duration
	HealthCheck *HealthCheck // nil: the image's

	// The network.
	Network              string // bridge, host, none, or another that the engine knows
	NetworkDisabled      bool
	Hostname, Domainname string
	Ports                []Port
	Expose               []string // ports that are only declared: 80/tcp
	Links                []string // container name:alias
	ExtraHosts           []string // name:address
	DNS                  []netip.Addr
	DNSSearch            []string

	// The resources. 0 means no limit, or the engine's default.
	CPUShares         int64
	Memory            int64 // bytes
	MemoryReservation int64 // bytes
	MemorySwap        int64 // bytes, including Memory; -1: unlimited
	MemorySwappiness  *int64
	ShmSize           int64 // bytes
	Ulimits           []Ulimit
	CgroupParent      string
	Devices           []Device

	// Files and rights.
	Mounts          []Mount
	VolumesFrom     []string          // container name, or name:ro
	Tmpfs           map[string]string // path → options
	ReadOnlyRoot    bool
	PID, IPC        string // host, or for IPC none; empty: the engine's default
	Privileged      bool
	CapAdd, CapDrop []string
	SecurityOptions []string
	Sysctls         map[string]string

	Log *Log // nil: the engine's default
}

// HealthCheck is a command that the engine runs periodically in a container. 0 means the
// engine's default.
type HealthCheck struct {
	Test          []string // NONE, or CMD or CMD-SHELL and the command
	Interval      time.Duration
	Timeout       time.Duration
	StartPeriod   time.Duration
	StartInterval time.Duration
	Retries       int
}

// Ulimit is a limit of a container's processes.
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// Device is a device of the host in a container.
type Device struct {
	Host, Container string // paths
	Permissions     string // of r, w and m
}

// Log says where the engine writes a container's output.
type Log struct {
	Driver  string
	Options map[string]string
}

// Port publishes a port of a container.
type Port struct {
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"` // tcp or udp
	HostIP        string `json:"hostIP,omitempty"`
}

// Mount mounts a host path or a named volume.
type Mount struct {
	Source   string // absolute path, or a volume's name
	Target   string
	ReadOnly bool
}

// Volume is a named volume to be created.
type Volume struct {
	Name    string
	Driver  string
	Options map[string]string
	Labels  map[string]string
}

// Created is a new container. Ports are the ports that are really published, in any order.
// A port with HostPort 0 is known only when the container runs.
type Created struct {
	ID    string
	Ports []Port
}

// Phase is the phase of a container. PhaseCreated means that it never ran.
type Phase string

// The phases.
const (
	PhaseCreated Phase = "created"
	PhaseRunning Phase = "running"
	PhaseExited  Phase = "exited"
)

// Values of Container.Health and Event.Health. Without a health check they are empty.
const (
	Healthy   = "HEALTHY"
	Unhealthy = "UNHEALTHY"
	Starting  = "UNKNOWN"
)

// Container is an existing container.
type Container struct {
	ID         string
	Name       string
	Image      string // as given at creation
	Labels     map[string]string
	Phase      Phase
	StartedAt  time.Time // zero if it never started
	FinishedAt time.Time
	ExitCode   int
	OOMKilled  bool   // a process in it was killed for lack of memory since the last start
	Error      string // why it could not start
	Health     string
	Ports      []Port
}

// EventKind says what happened to a container.
type EventKind string

// The kinds.
const (
	EventStarted EventKind = "started"
	EventExited  EventKind = "exited"
	EventOOM     EventKind = "oom" // a process in it was killed for lack of memory
	EventHealth  EventKind = "health"
	EventRemoved EventKind = "removed"
)

// Event is something that happened to a container.
type Event struct {
	Kind     EventKind
	ID       string
	Labels   map[string]string
	At       time.Time
	ExitCode int    // of EventExited
	Health   string // of EventHealth
}

// Stats is one sample of a container's resource usage.
type Stats struct {
	At                    time.Time
	CPU                   time.Duration // CPU time used so far
	CPUs                  int           // of the host
	Memory                int64         // bytes, without cache
	RxBytes, TxBytes      int64
	RxPackets, TxPackets  int64
	RxErrors, TxErrors    int64
	RxDropped, TxDropped  int64
	ReadBytes, WriteBytes int64
	HasNetwork            bool
}
