# shellcheck shell=sh
# Shared by the scripts: who installs packages here, and as whom.

say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE HINT
fail() {
	printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
	exit 1
}

# as_root COMMAND…: by sudo where we are not root. A sudo that would ask for a
# password is used only where there is a terminal to ask on.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
		sudo "$@"
	else
		fail "this needs root: $*" "run it as root, or as a user with sudo, and start again"
	fi
}

package_manager() {
	for m in apt-get dnf apk pacman zypper; do
		if command -v "$m" >/dev/null; then
			echo "$m"
			return
		fi
	done
	echo none
}

# install_packages PACKAGE…, without a question asked
install_packages() {
	say "installing $*"
	case "$(package_manager)" in
	apt-get)
		if [ -z "${apt_updated-}" ]; then
			as_root apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 update >&2
			apt_updated=1
		fi
		as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -qq -y \
			-o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
			-o Dpkg::Options::=--force-confold --no-install-recommends install "$@" >&2
		;;
	dnf) as_root dnf -q -y install "$@" >&2 ;;
	apk) as_root apk add -q --no-cache "$@" >&2 ;;
	pacman) as_root pacman -Sy --noconfirm --needed "$@" >&2 ;;
	zypper) as_root zypper -n -q install "$@" >&2 ;;
	*) fail "no package manager that this script knows (apt, dnf, apk, pacman, zypper)" "install $* yourself and start again" ;;
	esac
}
