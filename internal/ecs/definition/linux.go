package definition

import (
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The names that the API reference lists for KernelCapabilities and Tmpfs.
var (
	kernelCapabilities = strings.Fields(`ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID
		IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW
		SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE
		SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM`)
	tmpfsOptions = strings.Fields(`defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime
		diratime nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime
		strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol`)
)

func (s subject) checkLinux() error {
	l := s.c.LinuxParameters
	if l == nil {
		return nil
	}
	if k := l.Capabilities; k != nil {
		for _, n := range slices.Concat(k.Add, k.Drop) {
			if !slices.Contains(kernelCapabilities, n) {
				return s.newError("'linuxParameters.capabilities' has the unknown capability %q.", n)
			}
		}
	}
	for _, d := range l.Devices {
		if !isAbsolute(aws.ToString(d.HostPath)) {
			return s.newError("'linuxParameters.devices.hostPath' must be an absolute path, not %q.", aws.ToString(d.HostPath))
		}
		if d.ContainerPath != nil && !isAbsolute(*d.ContainerPath) {
			return s.newError("'linuxParameters.devices.containerPath' must be an absolute path, not %q.", *d.ContainerPath)
		}
		for _, p := range d.Permissions {
			if err := checkEnum("container '"+*s.c.Name+"' linuxParameters.devices.permissions", p, types.DeviceCgroupPermissionRead, types.DeviceCgroupPermissionWrite, types.DeviceCgroupPermissionMknod); err != nil {
				return err
			}
		}
	}
	for _, t := range l.Tmpfs {
		switch {
		case !isAbsolute(aws.ToString(t.ContainerPath)):
			return s.newError("'linuxParameters.tmpfs.containerPath' must be an absolute path, not %q.", aws.ToString(t.ContainerPath))
		case t.Size < 1:
			return s.newError("'linuxParameters.tmpfs.size' must be at least 1 MiB, not %d.", t.Size)
		}
		for _, o := range t.MountOptions {
			if name, _, _ := strings.Cut(o, "="); !slices.Contains(tmpfsOptions, name) {
				return s.newError("'linuxParameters.tmpfs.mountOptions' has the unknown option %q.", o)
			}
		}
	}
	switch {
	case l.MaxSwap != nil && *l.MaxSwap < 0:
		return s.newError("'linuxParameters.maxSwap' must be 0 or positive, not %d.", *l.MaxSwap)
	case l.SharedMemorySize != nil && *l.SharedMemorySize < 1:
		return s.newError("'linuxParameters.sharedMemorySize' must be at least 1 MiB, not %d.", *l.SharedMemorySize)
	}
	return s.checkBetween("linuxParameters.swappiness", l.Swappiness, 0, 100)
}

var ipcSysctls = strings.Fields("kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced")

// checkSysctls accepts the kernel parameters that belong to a namespace of the
// container's own.
func (s subject) checkSysctls() error {
	seen := map[string]bool{}
	for _, sc := range s.c.SystemControls {
		name := aws.ToString(sc.Namespace)
		network := strings.HasPrefix(name, "net.")
		ipc := slices.Contains(ipcSysctls, name) || strings.HasPrefix(name, "fs.mqueue.")
		switch {
		case !network && !ipc:
			return s.newError("'systemControls.namespace' must be a namespaced kernel parameter (net.*, fs.mqueue.*, or one of %s), not %q.", strings.Join(ipcSysctls, ", "), name)
		case aws.ToString(sc.Value) == "":
			return s.newError("'systemControls.value' of %s should not be null or empty.", name)
		case network && s.def.NetworkMode == types.NetworkModeHost:
			return s.newError("'systemControls' of the network namespace (%s) are not supported when networkMode=host.", name)
		case ipc && s.def.IpcMode == types.IpcModeHost:
			return s.newError("'systemControls' of the IPC namespace (%s) are not supported when ipcMode=host.", name)
		case seen[name]:
			return s.newError("'systemControls' has %s twice.", name)
		}
		seen[name] = true
	}
	return nil
}

func (s subject) checkUlimits() error {
	seen := map[types.UlimitName]bool{}
	for _, u := range s.c.Ulimits {
		if u.Name == "" {
			return s.newError("'ulimits.name' should not be null or empty.")
		}
		if err := checkEnum("container '"+*s.c.Name+"' ulimits.name", u.Name, u.Name.Values()...); err != nil {
			return err
		}
		switch {
		case seen[u.Name]:
			return s.newError("'ulimits' has %s twice.", u.Name)
		case u.SoftLimit < -1 || u.HardLimit < -1:
			return s.newError("'ulimits' %s must not be negative, but for -1, which is unlimited.", u.Name)
		case u.HardLimit != -1 && (u.SoftLimit > u.HardLimit || u.SoftLimit == -1):
			return refuse.Client("Soft limit exceeds hard limit for ulimit %s. (container '%s')", u.Name, *s.c.Name)
		}
		seen[u.Name] = true
	}
	return nil
}
