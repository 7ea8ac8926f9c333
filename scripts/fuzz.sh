#!/usr/bin/env bash
# Runs every fuzz target of the repository for FUZZTIME (default 60s) each, one
# line of output a target. What one finds lies in its package's testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
FUZZTIME=${FUZZTIME:-60s}

fuzz() { go test -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" "$1" 2>&1; }

# Only packages that have one: to list is to build.
mapfile -t packages < <(grep -rl --include='*_test.go' '^func Fuzz' cmd internal test | xargs -n 1 dirname | sort -u | sed 's|^|./|')
failed=0 ran=0
# go test -list prints the names of a package's targets, and then its path.
targets=()
while read -r first package _; do
	case $first in
	Fuzz*) targets+=("$first") ;;
	FAIL) failed=1 ;;
	ok)
		for t in "${targets[@]}"; do
			ran=$((ran + 1)) ok=1
			out=$(fuzz "$package" "$t") || ok=0
			# Go's own fuzzing can take the end of its time for a failure (golang/go issue 75804).
			if [ $ok = 0 ] && grep -q 'context deadline exceeded' <<<"$out" && ! grep -q 'Failing input' <<<"$out"; then
				ok=1
				out=$(fuzz "$package" "$t") || ok=0
			fi
			if [ $ok = 1 ]; then
				execs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' <<<"$out" | tail -n 1)
				echo "fuzz: $package $t: ${execs:-only known} inputs, nothing found"
			else
				failed=1
				echo "fuzz: $package $t: FAILED"
				echo "$out"
			fi
		done
		targets=()
		;;
	esac
done < <(go test -list '^Fuzz' "${packages[@]}" || echo FAIL)
if [ "$ran" = 0 ]; then
	echo "fuzz: found no target" >&2
	exit 1
fi
exit $failed
