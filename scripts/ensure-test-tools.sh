#!/bin/sh
# Makes sure that the tools of the tests are here: a C compiler for the race
# detector, curl, ip and nft for networks of namespaces, mkfs.ext4 for small
# disks, the aws and docker command lines. Running it again does nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
manager=$(package_manager)

# need COMMAND APT DNF APK PACMAN ZYPPER: the package of each manager that has it
need() {
	command -v "$1" >/dev/null && return
	tool=$1
	case "$manager" in
	apt-get) package=$2 ;;
	dnf) package=$3 ;;
	apk) package=$4 ;;
	pacman) package=$5 ;;
	zypper) package=$6 ;;
	*) fail "the tests need $tool" "install it and start again" ;;
	esac
	# shellcheck disable=SC2086 # several packages can be in one word
	install_packages $package
	command -v "$tool" >/dev/null || fail "$package brought no $tool" "install $tool and start again"
}

need gcc "gcc libc6-dev" "gcc glibc-devel" "gcc musl-dev" gcc gcc
need curl "curl ca-certificates" curl curl curl curl
need bash bash bash bash bash bash
need dash dash dash dash dash dash
need ip iproute2 iproute iproute2 iproute2 iproute2
need nft nftables nftables nftables nftables nftables
need mkfs.ext4 e2fsprogs e2fsprogs e2fsprogs e2fsprogs e2fsprogs
need aws awscli awscli2 aws-cli aws-cli aws-cli
if ! command -v docker >/dev/null; then
	# Newer Debians have the command line apart from the engine.
	if [ "$manager" = apt-get ] && ! apt-cache show docker-cli >/dev/null 2>&1; then
		need docker docker.io - - - -
	else
		need docker docker-cli moby-engine docker-cli docker docker
	fi
fi
