# What the scripts that use the stock aws command line have in common. Sourced.

step() { printf '== %s\n' "$*"; }
die() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}
# is GOT WANT WHAT
is() { [ "$1" = "$2" ] || die "$3 is '$1', want '$2'"; }
has() { case "$1" in *"$2"*) ;; *) die "'$2' is not in: $1" ;; esac; }
# refused WORD COMMAND…: the command must fail and say WORD
refused() {
	local word=$1 said
	shift
	if said=$("$@" 2>&1); then die "not refused: $*"; fi
	has "$said" "$word"
}
count() { wc -w <<<"$1" | tr -d ' '; }
