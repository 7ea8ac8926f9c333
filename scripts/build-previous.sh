#!/usr/bin/env bash
# Builds the version before this one as FILE: that of the newest tag before HEAD, else
# that of HEAD's parent.
#
#   scripts/build-previous.sh FILE
set -euo pipefail
cd "$(dirname "$0")/.."
file=$(realpath -m "${1:?the binary to build}")
version=$(git describe --tags --abbrev=0 'HEAD^' 2>/dev/null || git rev-parse --short 'HEAD^')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git archive "$version" | tar -x -C "$work"
make -s -C "$work" build VERSION="$version"
mkdir -p "$(dirname "$file")"
mv "$work/bin/ashore" "$file"
echo "built $version as $1"
