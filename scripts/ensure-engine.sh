#!/bin/sh
# Makes sure that a Docker Engine answers here: installs one where there is
# none, starts its daemon where no service manager did. Running it again does
# nothing. DOCKER_HOST and rootless sockets are honoured.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
ashore=${ASHORE:-$here/../bin/ashore}
log=${DOCKERD_LOG:-/var/log/dockerd.log}
run=${RUN_DIR:-/var/run}
# A user's PATH can lack where daemons are.
PATH=$PATH:${SBIN_DIRS-/usr/local/sbin:/usr/sbin:/sbin}

answers() { "$ashore" engine >/dev/null 2>&1; }

install_engine() {
	case "$(package_manager)" in
	apt-get)
		set -- docker.io ca-certificates iptables
		# Without its parser an engine on a kernel with AppArmor starts nothing.
		[ ! -d /sys/kernel/security/apparmor ] || set -- "$@" apparmor
		# Without a service manager nobody mounts the control groups.
		grep -q '[[:space:]]cgroup2\{0,1\}[[:space:]]' /proc/mounts || set -- "$@" cgroupfs-mount
		install_packages "$@"
		;;
	dnf)
		id=$(. /etc/os-release && echo "$ID")
		case "$id" in
		fedora) install_packages moby-engine ;;
		amzn) install_packages docker ;;
		*)
			# Red Hat's family packages no Docker Engine.
			case "$id" in rhel) repo=rhel ;; *) repo=centos ;; esac
			url="https://download.docker.com/linux/$repo/docker-ce.repo"
			say "this distribution has no Docker Engine; taking it from Docker's own repository, $url"
			command -v curl >/dev/null || install_packages curl
			as_root curl -fsSL --retry 3 -o /etc/yum.repos.d/docker-ce.repo "$url"
			install_packages docker-ce docker-ce-cli containerd.io
			;;
		esac
		;;
	apk | pacman | zypper) install_packages docker ;;
	*) fail "no Docker Engine here, and no package manager that this script knows" "install Docker Engine (docs.docker.com/engine/install) and start again" ;;
	esac
}

# drop_stale_pid FILE NAME removes what a killed daemon left behind: a pid file
# whose process is gone, waits to be reaped, or is by now something else. With it
# no new daemon would start.
drop_stale_pid() {
	[ -f "$1" ] || return 0
	pid=$(cat "$1")
	if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status"; then
		return 0
	fi
	as_root rm -f "$1"
}

start_daemon() {
	drop_stale_pid "$run/docker.pid" dockerd
	drop_stale_pid "$run/docker/containerd/containerd.pid" containerd
	if [ -d /run/systemd/system ]; then
		say "starting docker by systemd"
		as_root systemctl enable --now docker >&2
	elif [ -x /sbin/openrc-run ] && [ -d /run/openrc/started ]; then
		say "starting docker by OpenRC"
		as_root rc-update -q add docker default >&2 || true
		as_root rc-service docker start >&2
	elif [ -x /etc/init.d/docker ] && command -v service >/dev/null && as_root service docker start >&2 && wait_engine 20; then
		say "docker was started by its init script"
	else
		start_dockerd
	fi
}

# start_dockerd starts the daemon itself: there is no service manager, as in a
# container or a minimal virtual machine.
start_dockerd() {
	say "no service manager starts dockerd; starting it in the background, its log is $log"
	if ! grep -q '[[:space:]]cgroup2\{0,1\}[[:space:]]' /proc/mounts; then
		if command -v cgroupfs-mount >/dev/null; then
			as_root cgroupfs-mount
		else
			as_root mount -t cgroup2 none /sys/fs/cgroup
		fi
	fi
	# shellcheck disable=SC2016
	as_root sh -c 'command -v setsid >/dev/null && s=setsid || s=nohup; $s dockerd >>"$1" 2>&1 </dev/null &' sh "$log"
}

# wait_engine SECONDS
wait_engine() {
	end=$(($(date +%s) + $1))
	until answers; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.2
	done
}

[ -x "$ashore" ] || fail "there is no $ashore" "run make build first"
answers && exit 0

# A socket that is there and refuses us is a matter of permissions.
if [ -z "${DOCKER_HOST-}" ] && [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
	fail "you may not use the Docker Engine here ($(id -un) can't write to /var/run/docker.sock)" \
		"join its group by \`sudo usermod -aG docker $(id -un)\` and log in again, or use a rootless engine by DOCKER_HOST"
fi
if [ -n "${DOCKER_HOST-}" ]; then
	fail "no engine answers at DOCKER_HOST=$DOCKER_HOST" "start that engine, or unset DOCKER_HOST to use this machine's"
fi
command -v dockerd >/dev/null || install_engine
answers || start_daemon
if ! wait_engine 60; then
	if [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
		fail "Docker Engine runs, and you may not use it" "join its group by \`sudo usermod -aG docker $(id -un)\` and log in again"
	fi
	[ ! -r "$log" ] || tail -n 20 "$log" >&2
	fail "Docker Engine did not answer within 60 seconds" "its log is $log (or \`journalctl -u docker\`)"
fi
say "Docker Engine answers"
