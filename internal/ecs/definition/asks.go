package definition

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	capability    = "ecs.capability."
	oldCapability = "com.amazonaws.ecs.capability."
	remoteAPI     = oldCapability + "docker-remote-api."
)

// The attributes by which hosts report what they offer.
const (
	OffersAwsvpc = "ashore.network-mode.awsvpc"
	OSType       = "ecs.os-type"
)

// use is what an attribute that a definition needs is used for.
type use int

const (
	listed use = 1 << iota // in requiresAttributes: ECS lists it
	needed                 // by placement: a host without it takes no task
)

// ask is one member of a definition that needs an attribute of the agent that runs
// it, in the agents' own vocabulary.
type ask struct {
	use         use
	name, value string
	thing       string   // the member, in words that a user knows
	containers  []string // the containers that have it; empty: the task has it
	help        string
}

// asks is everything that a definition needs. A need that several containers have is
// one ask.
type asks struct {
	list      []ask
	container string // the container that is being inspected; empty: the task
}

func (a *asks) add(u use, thing, help string, names ...string) {
	for _, name := range names {
		i := slices.IndexFunc(a.list, func(k ask) bool {
			return k.use == u && k.name == name && k.thing == thing && (len(k.containers) > 0) == (a.container != "")
		})
		if i < 0 {
			i = len(a.list)
			a.list = append(a.list, ask{use: u, name: name, thing: thing, help: help})
		}
		if a.container != "" && !slices.Contains(a.list[i].containers, a.container) {
			a.list[i].containers = append(a.list[i].containers, a.container)
		}
	}
}

// value adds the need of an attribute with a value.
func (a *asks) value(name, value, thing, help string) {
	a.list = append(a.list, ask{use: needed, name: name, value: value, thing: thing, help: help})
}

// of joins a thing with the containers that have it: "x of the containers a and b".
func of(thing string, containers []string) string {
	switch n := len(containers); n {
	case 0:
		return thing
	case 1:
		return thing + " of the container " + containers[0]
	default:
		return thing + " of the containers " + strings.Join(containers[:n-1], ", ") + " and " + containers[n-1]
	}
}

// RequiredAttributes returns the attributes that a definition requires, as ECS lists
// them.
func RequiredAttributes(def *sdk.RegisterTaskDefinitionInput) []types.Attribute {
	var out []types.Attribute
	for _, k := range asksOf(def) {
		if k.use&listed != 0 && !slices.ContainsFunc(out, func(a types.Attribute) bool { return *a.Name == k.name }) {
			out = append(out, types.Attribute{Name: aws.String(k.name)})
		}
	}
	slices.SortFunc(out, func(a, b types.Attribute) int { return strings.Compare(*a.Name, *b.Name) })
	return out
}

// HostNeeds returns what a host must offer for tasks of a definition.
func HostNeeds(def *sdk.RegisterTaskDefinitionInput) []placement.Need {
	list := asksOf(def)
	out := make([]placement.Need, 0, len(list))
	for _, k := range list {
		if k.use&needed != 0 {
			out = append(out, placement.Need{Name: k.name, Value: k.value, For: of(k.thing, k.containers), Help: k.help})
		}
	}
	return out
}

// What helps if hosts do not offer what a definition needs.
const (
	updateAgent  = "Update the agent on the host."
	updateEngine = "Update the container engine on the host."
	noAwsvpc     = "No agent offers awsvpc yet: use networkMode bridge or host."
	noNamespaces = "Leave it out, or set it to host."
	giveLimits   = "Give cpu and memory to the containers instead, or run the agent as root on a host where it can limit tasks."
	logToHost    = "Use a log driver that the hosts offer, such as json-file; or, where the host's engine has this one, name it in ECS_AVAILABLE_LOGGING_DRIVERS for the agent."
	onlyStock    = "Leave it out, or add a host whose agent offers it."
)

// asksOf returns everything that a definition needs. What ECS lists was learnt from
// its answers to the public definitions in the documents of AWS and of others. What
// Ashore does not run on any host (see gaps) is only listed. So is what concerns the
// pull of an image: the image may be on the host already, and if it is not, the pull
// reports why.
func asksOf(def *sdk.RegisterTaskDefinitionInput) []ask {
	a := &asks{}
	if def.Cpu != nil || def.Memory != nil {
		a.add(needed, "cpu and memory of the task", giveLimits, capability+"task-cpu-mem-limit")
	}
	if cpu, err := parseCPU(aws.ToString(def.Cpu)); err == nil && cpu > 10240 {
		a.add(needed, "cpu of more than 10 vCPUs of the task", updateAgent, capability+"increased-task-cpu-limit")
	}
	if def.TaskRoleArn != nil {
		a.add(listed, "taskRoleArn", "", oldCapability+"task-iam-role")
		if def.NetworkMode == types.NetworkModeHost {
			a.add(listed, "taskRoleArn", "", oldCapability+"task-iam-role-network-host")
		}
	}
	if def.NetworkMode == types.NetworkModeAwsvpc {
		// What the stock agent reports is not enough: only our own agent can attach
		// the interface.
		a.add(listed, "networkMode awsvpc", "", capability+"task-eni", remoteAPI+"1.18")
		a.add(needed, "networkMode awsvpc", noAwsvpc, OffersAwsvpc)
	}
	if def.PidMode != "" || def.IpcMode != "" {
		a.add(listed, "pidMode or ipcMode", "", capability+"pid-ipc-namespace-sharing")
		a.add(listed|needed, "pidMode or ipcMode", updateEngine, remoteAPI+"1.17", remoteAPI+"1.18")
	}
	// The host's namespaces need no container that keeps them open.
	if def.PidMode == types.PidModeTask {
		a.add(needed, "pidMode task", noNamespaces, capability+"pid-ipc-namespace-sharing")
	}
	if def.IpcMode == types.IpcModeTask {
		a.add(needed, "ipcMode task", noNamespaces, capability+"pid-ipc-namespace-sharing")
	}
	for i := range def.Volumes {
		a.volume(&def.Volumes[i])
	}
	if def.ProxyConfiguration != nil {
		a.add(listed, "proxyConfiguration", "", capability+"aws-appmesh")
	}
	if len(def.InferenceAccelerators) > 0 {
		a.add(listed, "inferenceAccelerators", "", capability+"task-eia")
	}
	if def.EphemeralStorage != nil {
		a.add(listed, "ephemeralStorage", "", capability+"extensible-ephemeral-storage")
	}
	if aws.ToBool(def.EnableFaultInjection) {
		a.add(listed|needed, "enableFaultInjection", onlyStock, capability+"fault-injection")
	}
	if p := def.RuntimePlatform; p != nil {
		if arch := map[types.CPUArchitecture]string{types.CPUArchitectureX8664: "x86_64", types.CPUArchitectureArm64: "arm64"}[p.CpuArchitecture]; arch != "" {
			a.value("ecs.cpu-architecture", arch, "the cpuArchitecture "+string(p.CpuArchitecture), "Add a host of that architecture, or change runtimePlatform.")
		}
		if OnWindows(p.OperatingSystemFamily) {
			a.value(OSType, "windows", "Windows", "Add a host that runs Windows, or change runtimePlatform.")
		}
	}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		a.container = aws.ToString(c.Name)
		a.ofContainer(def, c)
		a.ofEngine(def.NetworkMode, c)
	}
	return a.list
}

func (a *asks) volume(v *types.Volume) {
	name := aws.ToString(v.Name)
	switch {
	case v.DockerVolumeConfiguration != nil:
		driver := cmp.Or(aws.ToString(v.DockerVolumeConfiguration.Driver), "local")
		a.add(listed|needed, "the volume driver "+driver+" of the volume "+name, "Install the driver on the host, or use another volume.",
			capability+"docker-plugin."+driver, remoteAPI+"1.25")
	case v.EfsVolumeConfiguration != nil:
		a.add(listed, "the EFS volume "+name, "", capability+"efs", capability+"efsAuth", remoteAPI+"1.25")
	case v.FsxWindowsFileServerVolumeConfiguration != nil:
		a.add(listed, "the FSx volume "+name, "", capability+"fsxWindowsFileServer")
	case v.S3filesVolumeConfiguration != nil:
		a.add(listed, "the S3 Files volume "+name, "", capability+"storage.s3-files")
	case aws.ToBool(v.ConfiguredAtLaunch):
		a.add(listed, "the volume "+name, "", capability+"storage.ebs-task-volume-attach")
	}
}
