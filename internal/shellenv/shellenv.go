// Package shellenv writes the output of `ashore env`: commands for the caller's shell
// that point the AWS tools at an installation, and commands that undo this.
//
// Apply unsets variables that would interfere: a profile, an old session token, an
// endpoint for a single service. It saves all old values in one variable of ours, and
// Revert restores them.
package shellenv

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Target is the installation at which the tools are pointed.
type Target struct {
	Endpoint, Host, Region       string
	AccessKeyID, SecretAccessKey string
	CABundle                     string // only if a private CA signed the endpoint's certificate
	// OldAWS says that the `aws` here ignores AWS_ENDPOINT_URL. Then a shell function
	// adds --endpoint-url.
	OldAWS bool
}

// savedVariable is the variable with the old values.
const savedVariable = "ASHORE_ENV_SAVED"

// functionVariable is set while our shell function replaces `aws`.
const functionVariable = "ASHORE_ENV_FUNCTION"

// Dialect writes the commands of one kind of shell.
type Dialect interface {
	export(name, value string) string
	unset(names ...string) string
	defineAWS() string
	removeAWS() string
	usage(command string) string
}

// Dialects are the dialects by the name for --shell.
var Dialects = map[string]Dialect{"posix": posix{}, "fish": fish{}, "powershell": powershell{}}

// Apply returns the commands that point the shell at t. environ is the shell's
// environment, as this process has inherited it.
func Apply(d Dialect, t Target, environ []string) string {
	env := parse(environ)
	set := map[string]string{
		"AWS_ENDPOINT_URL":      t.Endpoint,
		"AWS_ACCESS_KEY_ID":     t.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": t.SecretAccessKey,
		"AWS_REGION":            t.Region,
		"AWS_DEFAULT_REGION":    t.Region,
	}
	if t.CABundle != "" {
		set["AWS_CA_BUNDLE"] = t.CABundle
	}
	// Tools differ in which of the two variables they read, and many prefer the
	// lower-case one. If one is missing, it gets the other's value.
	upper, lower := env["NO_PROXY"], env["no_proxy"]
	set["NO_PROXY"] = addHost(orDefault(upper, lower), t.Host)
	set["no_proxy"] = addHost(orDefault(lower, upper), t.Host)

	unset := []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		// These would override AWS_ENDPOINT_URL.
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL_") || name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" {
			unset = append(unset, name)
		}
	}
	set[savedVariable] = encodeSaved(env, slices.Concat(slices.Collect(maps.Keys(set)), unset))
	if t.OldAWS {
		set[functionVariable] = "1"
	}

	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		b.WriteString(d.export(name, set[name]))
	}
	b.WriteString(d.unset(unset...))
	if t.OldAWS {
		b.WriteString(d.defineAWS())
	}
	b.WriteString(d.usage("ashore env"))
	return b.String()
}

// Revert returns the commands that undo Apply.
func Revert(d Dialect, environ []string) (string, error) {
	env := parse(environ)
	old := map[string]*string{}
	if v, ok := env[savedVariable]; ok {
		var err error
		if old, err = decodeSaved(v); err != nil {
			return "", fmt.Errorf("%s in the environment is damaged: %w", savedVariable, err)
		}
	}
	var b strings.Builder
	unset := []string{}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if v := old[name]; v != nil {
			b.WriteString(d.export(name, *v))
		} else {
			unset = append(unset, name)
		}
	}
	b.WriteString(d.unset(append(unset, savedVariable)...))
	if env[functionVariable] != "" {
		b.WriteString(d.removeAWS())
		b.WriteString(d.unset(functionVariable))
	}
	b.WriteString(d.usage("ashore env --unset"))
	return b.String(), nil
}

// BlockingProxy returns the variable whose proxy would receive calls to host. ok is
// false if there is none.
func BlockingProxy(environ []string, scheme, host string) (name string, ok bool) {
	env := parse(environ)
	for _, no := range []string{env["no_proxy"], env["NO_PROXY"]} {
		for part := range strings.SplitSeq(no, ",") {
			if p := strings.TrimSpace(part); p == host || p == "*" {
				return "", false
			}
		}
	}
	for _, name := range []string{scheme + "_proxy", strings.ToUpper(scheme) + "_PROXY"} {
		if env[name] != "" {
			return name, true
		}
	}
	return "", false
}

// encodeSaved adds the present values of names to the saved ones. It keeps older saved
// values, so after two Apply Revert restores the first state.
func encodeSaved(env map[string]string, names []string) string {
	old, err := decodeSaved(env[savedVariable])
	if err != nil {
		old = map[string]*string{}
	}
	for _, n := range names {
		if _, known := old[n]; known {
			continue
		}
		if v, ok := env[n]; ok {
			old[n] = &v
		} else {
			old[n] = nil
		}
	}
	raw, err := json.Marshal(old)
	if err != nil {
		panic(err) // strings and nils always marshal
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeSaved(v string) (map[string]*string, error) {
	old := map[string]*string{}
	raw, err := base64.RawURLEncoding.DecodeString(v)
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &old)
	}
	return old, err
}

func parse(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}

func addHost(list, host string) string {
	for part := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(part) == host {
			return list
		}
	}
	if strings.TrimSpace(list) == "" {
		return host
	}
	return strings.TrimRight(list, ", ") + "," + host
}

func orDefault(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
