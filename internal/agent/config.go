package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/session"
)

// Settings are the content of the agent's config.json.
type Settings struct {
	Server         string   `json:"server"`
	Others         []string `json:"others,omitempty"` // URLs of the control plane's other servers
	Cluster        string   `json:"cluster"`
	InstallationID string   `json:"installationId"`
	Region         string   `json:"region"`
	Account        string   `json:"account"`
}

// Names of the files in the agent's folder.
const (
	SettingsFile    = "config.json"
	CredentialsFile = "credentials.json"
	JournalFile     = "journal.db"
	SocketFile      = "run/agent.sock"
)

// ReadSettings reads config.json of an agent's folder.
func ReadSettings(dir string) (Settings, error) {
	var s Settings
	data, err := os.ReadFile(filepath.Join(dir, SettingsFile))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("agent: %s: %w", SettingsFile, err)
	}
	return s, nil
}

// Write writes config.json atomically.
func (s Settings) Write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, SettingsFile+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, SettingsFile))
	}
	return err
}

// FileCredentials returns a function that reads credentials.json of an agent's folder.
func FileCredentials(dir string) func() (session.Credentials, error) {
	path := filepath.Join(dir, CredentialsFile)
	return func() (session.Credentials, error) {
		var c session.Credentials
		data, err := os.ReadFile(path) // the file is small and calls are rare
		if err == nil {
			err = json.Unmarshal(data, &c)
		}
		return c, err
	}
}

// Config configures an Agent. Only Dir is required.
type Config struct {
	Dir         string                              // has the files above
	Settings    *Settings                           // nil: config.json
	Credentials func() (session.Credentials, error) // nil: credentials.json
	Runtime     runtime.Runtime                     // nil: Docker Engine
	Log         *slog.Logger
	Version     string
	Getenv      func(string) string // nil: os.Getenv
	NoSocket    bool                // no control socket
	NoJournal   bool                // nothing outlives the process; for simulated hosts
	MachineID   string              // empty: derived from the machine

	// CPU and Memory (units, MiB) replace the engine's own values; for simulated hosts.
	CPU, Memory  int64
	MetricsEvery time.Duration  // 20 s
	EngineAway   time.Duration  // until the container engine counts as away; 15 s
	Parallel     int            // creations and starts at once; 0: the default
	Limits       runtime.Limits // for the container engine's answers

	// Transport carries the calls and upgrades; nil: the agent's own. The agents of
	// simulated hosts share one.
	Transport http.RoundTripper
	// OnConnection, if set, is called when the connection for orders opens and closes.
	OnConnection func(up bool)
}

// reservedTCP are ports that no task may use: SSH, Docker, ECS's agents.
var reservedTCP = []int{22, 2375, 2376, 51678, 51679}

// options are the settings that the stock agent reads from its environment.
type options struct {
	pull        engine.PullBehavior
	stop, clean time.Duration
	reservedTCP []int
	reservedUDP []int
	reservedMiB int64
	low, high   int
	logDrivers  []string
	attributes  map[string]string
	tags        map[string]string
	taskLimits  bool
}

func readOptions(getenv func(string) string) (options, error) {
	o := options{reservedTCP: slices.Clone(reservedTCP), taskLimits: getenv("ECS_ENABLE_TASK_CPU_MEM_LIMIT") != "false"}
	var errs []error
	addError := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	var err error
	o.pull, err = engine.ParsePullBehavior(getenv("ECS_IMAGE_PULL_BEHAVIOR"))
	if err != nil {
		errs = append(errs, err)
	}
	duration := func(name string) (d time.Duration) {
		if v := getenv(name); v != "" {
			d, err = time.ParseDuration(v)
			if err == nil && d < time.Second {
				err = errors.New("less than 1s")
			}
			addError(name, err)
		}
		return d
	}
	document := func(name string, into any) {
		if v := getenv(name); v != "" {
			addError(name, json.Unmarshal([]byte(v), into))
		}
	}
	o.stop = duration("ECS_CONTAINER_STOP_TIMEOUT")
	o.clean = duration("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION")
	document("ECS_RESERVED_PORTS", &o.reservedTCP)
	document("ECS_RESERVED_PORTS_UDP", &o.reservedUDP)
	document("ECS_AVAILABLE_LOGGING_DRIVERS", &o.logDrivers)
	document("ECS_INSTANCE_ATTRIBUTES", &o.attributes)
	document("ECS_CONTAINER_INSTANCE_TAGS", &o.tags)
	if v := getenv("ECS_RESERVED_MEMORY"); v != "" {
		o.reservedMiB, err = strconv.ParseInt(v, 10, 64)
		addError("ECS_RESERVED_MEMORY", err)
	}
	if v := getenv("ECS_DYNAMIC_HOST_PORT_RANGE"); v != "" {
		a, b, _ := strings.Cut(v, "-")
		lo, err1 := strconv.Atoi(a)
		hi, err2 := strconv.Atoi(b)
		if err1 != nil || err2 != nil || lo < 1 || hi < lo || hi > 65535 {
			addError("ECS_DYNAMIC_HOST_PORT_RANGE", fmt.Errorf("%q is not of the form first-last", v))
		}
		o.low, o.high = lo, hi
	} else {
		o.low, o.high = engine.KernelPorts()
	}
	return o, errors.Join(errs...)
}

// plainDrivers are log drivers that need only the engine.
var plainDrivers = []string{"json-file", "local", "journald", "syslog", "gelf", "fluentd", "splunk"}

func chooseLogDrivers(o options, engineHas []string) []string {
	if o.logDrivers != nil {
		return o.logDrivers
	}
	var out []string
	for _, d := range plainDrivers {
		if slices.Contains(engineHas, d) {
			out = append(out, d)
		}
	}
	return out
}

// machineID returns an id that is the same for each start of this agent on this machine.
// It reveals nothing about the machine, and differs for each folder.
func machineID(dir, installation string) string {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		id = nil
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{strings.TrimSpace(string(id)), dir, installation}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// localServerPort returns the server's port if the server is on this machine. No task can
// use that port.
func localServerPort(server string) (int, bool) {
	u, err := url.Parse(server)
	if err != nil || u.Port() == "" {
		return 0, false
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0, false
	}
	p, err := strconv.Atoi(u.Port())
	return p, err == nil
}

// architectureName returns ECS's name of a CPU architecture.
func architectureName(a string) string {
	switch a {
	case "amd64", "x86_64":
		return "x86_64"
	case "aarch64", "arm64":
		return "arm64"
	default:
		return a
	}
}
