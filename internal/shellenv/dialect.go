package shellenv

import "strings"

// posix is plain sh: dash, bash, zsh, ksh, busybox, with `set -eu` or without.
type posix struct{}

func (posix) quote(v string) string { return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'" }
func (p posix) export(name, v string) string {
	return "export " + name + "=" + p.quote(v) + "\n"
}
func (posix) unset(names ...string) string { return "unset " + strings.Join(names, " ") + "\n" }

// The flag and its value are one word, because zsh does not split an expansion.
func (posix) defineAWS() string {
	return `aws() { command aws ${AWS_ENDPOINT_URL:+"--endpoint-url=$AWS_ENDPOINT_URL"} "$@"; }` + "\n"
}
func (posix) removeAWS() string { return "unset -f aws\n" }
func (posix) usage(command string) string {
	return "# to run these: eval \"$(" + command + ")\"\n"
}

type fish struct{}

func (fish) quote(v string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(v) + "'"
}
func (f fish) export(name, v string) string { return "set -gx " + name + " " + f.quote(v) + "\n" }
func (fish) unset(names ...string) string   { return "set -e " + strings.Join(names, " ") + "\n" }
func (fish) defineAWS() string {
	return "function aws; command aws \"--endpoint-url=$AWS_ENDPOINT_URL\" $argv; end\n"
}
func (fish) removeAWS() string { return "functions -e aws\n" }
func (fish) usage(command string) string {
	return "# to run these: " + command + " --shell fish | source\n"
}

type powershell struct{}

// PowerShell treats typographic quotes as plain ones. Each quote is doubled.
func (powershell) quote(v string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(v) + "'"
}
func (p powershell) export(name, v string) string { return "$Env:" + name + " = " + p.quote(v) + "\n" }
func (powershell) unset(names ...string) string {
	return "Remove-Item -ErrorAction SilentlyContinue -Path Env:" + strings.Join(names, ",Env:") + "\n"
}
func (powershell) defineAWS() string {
	return "function global:aws { & (Get-Command -CommandType Application aws | Select-Object -First 1) \"--endpoint-url=$Env:AWS_ENDPOINT_URL\" @args }\n"
}
func (powershell) removeAWS() string { return "Remove-Item -Path Function:aws\n" }
func (powershell) usage(command string) string {
	return "# to run these: " + command + " --shell powershell | Out-String | Invoke-Expression\n"
}
