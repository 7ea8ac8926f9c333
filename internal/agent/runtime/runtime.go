// Package runtime is what the agent needs of a container engine, and nothing
// that only one engine has. runtime/docker speaks to Docker Engine,
// runtime/fake is for tests and simulated hosts, and runtime/conformance holds
// every implementation to the same behaviour.
package runtime

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"
)

// Kinds of errors. An Error's text is the engine's own, fit for a person.
var (
	ErrNotFound  = errors.New("not found")
	ErrNameTaken = errors.New("name taken")
	ErrPortTaken = errors.New("port taken")
	ErrRunning   = errors.New("container is running")
	// ErrNotRunning: it has not been started, or has ended.
	ErrNotRunning = errors.New("container is not running")
	// ErrUnsupported: the engine can't do this, here or at all.
	ErrUnsupported = errors.New("not supported")
	ErrConfig      = errors.New("settings cannot be used")
	// ErrUnreachable: the engine itself did not answer, so nothing is known
	// about what became of the request.
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
	// Ping asks whether the engine answers at all.
	Ping(ctx context.Context) error
	Info(ctx context.Context) (Info, error)

	// Image looks a reference up locally.
	Image(ctx context.Context, ref string) (Image, error)
	// Pull fetches it from its registry; it returns when that is done. progress
	// is called whenever something of it has come.
	Pull(ctx context.Context, ref string, progress func()) error
	// Load reads an image archive and returns the references it held.
	Load(ctx context.Context, archive io.Reader) ([]string, error)
	RemoveImage(ctx context.Context, ref string) error

	// Create makes a container but does not start it. It fails with
	// ErrNameTaken if one of that name exists.
	Create(ctx context.Context, spec Spec) (Created, error)
	// Start starts a container. On success the container has started, though
	// it may have ended already.
	Start(ctx context.Context, id string) error
	// Stop sends the stop signal and, after the timeout, kills. It returns
	// when the container has ended; an ended one is no error.
	Stop(ctx context.Context, id string, timeout time.Duration) error
	// Remove removes a container and its anonymous volumes. Without force it
	// fails with ErrRunning for a running one; one that is not there is no error.
	Remove(ctx context.Context, id string, force bool) error
	// Inspect finds a container by id or name.
	Inspect(ctx context.Context, id string) (Container, error)
	// List finds the containers, running or not, that carry all labels. Of
	// Container only ID, Name, Image, Labels and Phase are filled.
	List(ctx context.Context, labels map[string]string) ([]Container, error)
	Stats(ctx context.Context, id string) (Stats, error)

	// Events calls on for each event of containers that carry all labels, in
	// the engine's order, until the context ends or the stream breaks, and
	// then returns why. It calls subscribed once no event can be missed any more.
	Events(ctx context.Context, labels map[string]string, subscribed func(), on func(Event)) error

	// Exec runs a command in a running container and returns its exit code, when it
	// has ended and all that it said is written. It fails with ErrNotRunning for a
	// container that does not run. If ctx ends, or something can't be written, the
	// command is killed; the error says why, and whether the command may go on. A
	// command that does not exist ends with 126 or 127.
	Exec(ctx context.Context, id string, e Exec) (code int, err error)
	// Output calls on for each line that a container has written after a place, and
	// for each that it writes, in the engine's order, and calls begun before the
	// first. It returns nil when the container does not run and all was told. If it
	// returns an error, which may be on's, the next reading goes on after the last
	// line that was told. It fails with ErrUnsupported where the container's log
	// can't be read.
	Output(ctx context.Context, id string, from Position, begun func(), on func(Line) error) error

	CreateVolume(ctx context.Context, v Volume) error
	// VolumeExists tells whether a volume of that name is there.
	VolumeExists(ctx context.Context, name string) (bool, error)
	// RemoveVolume removes a volume; one that is not there is no error.
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
	// CgroupParents says how a task's cgroup may be given: by path
	// (CgroupPath), as a slice (CgroupSlice), or not at all (empty).
	CgroupParents string
	CgroupVersion int
	Rootless      bool
}

// Kinds of cgroup parents: an absolute path in the cgroup hierarchy of the host,
// or the name of a slice of systemd's.
const (
	CgroupPath  = "path"
	CgroupSlice = "slice"
)

// Image is a local image.
type Image struct {
	ID string
	// Digest is the manifest's digest at the registry it came from, "sha256:…",
	// or empty for an image that never was in a registry.
	Digest string
	Env    []string
}

// Spec is a container to be created.
type Spec struct {
	Name   string
	Image  string
	Labels map[string]string

	// What runs. Empty values are the image's.
	Command    []string
	EntryPoint []string
	Env        []string // NAME=value
	User       string   // name or id, and :group
	WorkingDir string
	TTY        bool // the program has a terminal
	Stdin      bool // and an open standard input
	Init       *bool
	StopSignal string
	// StopTimeout is how long Stop of someone else's lets it have who names no time:
	// the engine itself when it shuts down, or a person. 0: the engine's default.
	StopTimeout time.Duration
	HealthCheck *HealthCheck // nil: the image's

	// Where it is on the network.
	Network              string // bridge, host, none, or another that the engine knows
	NetworkDisabled      bool
	Hostname, Domainname string
	Ports                []Port
	Expose               []string // ports that are only told of: 80/tcp
	Links                []string // container name:alias
	ExtraHosts           []string // name:address
	DNS                  []netip.Addr
	DNSSearch            []string

	// What it may use. 0 is no limit, or the engine's default.
	CPUShares         int64
	Memory            int64 // bytes
	MemoryReservation int64 // bytes
	MemorySwap        int64 // bytes, with Memory's; -1: unlimited
	MemorySwappiness  *int64
	ShmSize           int64 // bytes
	Ulimits           []Ulimit
	CgroupParent      string
	Devices           []Device

	// What it sees of files and may do.
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

// HealthCheck is a command that the engine runs in a container again and again. 0
// is the engine's default.
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

// Device is one of the host's in a container.
type Device struct {
	Host, Container string // paths
	Permissions     string // of r, w and m
}

// Log is where the engine writes what a container says.
type Log struct {
	Driver  string
	Options map[string]string
}

// Port publishes a container's port.
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

// Created is a new container. Ports are those really published, in any order; one
// with HostPort 0 is known only once the container runs.
type Created struct {
	ID    string
	Ports []Port
}

// Phase of a container. Created means that it never ran.
type Phase string

// The phases.
const (
	PhaseCreated Phase = "created"
	PhaseRunning Phase = "running"
	PhaseExited  Phase = "exited"
)

// Values of Container.Health and Event.Health; empty without a health check.
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
	OOMKilled  bool   // a process in it was killed for its memory since the last start
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
	EventOOM     EventKind = "oom" // a process in it was killed for its memory
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

// Stats is one sample of a container's use of the host.
type Stats struct {
	At                    time.Time
	CPU                   time.Duration // time used so far
	CPUs                  int           // of the host
	Memory                int64         // bytes, without cache
	RxBytes, TxBytes      int64
	RxPackets, TxPackets  int64
	RxErrors, TxErrors    int64
	RxDropped, TxDropped  int64
	ReadBytes, WriteBytes int64
	HasNetwork            bool
}
