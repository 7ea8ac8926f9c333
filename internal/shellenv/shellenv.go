// Package shellenv writes what `ashore env` prints: commands for the caller's
// shell that point the AWS tools at an installation, and those that put
// everything back.
//
// What is in the way is unset (a profile, a stale session token, an endpoint
// for a single service), and everything that is changed is remembered in one
// variable of our own, from which Revert restores it.
package shellenv

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Target is what the tools are pointed at.
type Target struct {
	Endpoint, Host, Region       string
	AccessKeyID, SecretAccessKey string
	CABundle                     string // only where the endpoint's certificate is from a private CA
	// OldAWS says that the `aws` here does not know AWS_ENDPOINT_URL: a function
	// then adds --endpoint-url.
	OldAWS bool
}

// savedVariable is the variable that remembers what was there before.
const savedVariable = "ASHORE_ENV_SAVED"

// functionVariable is set while our function stands before `aws`.
const functionVariable = "ASHORE_ENV_FUNCTION"

// Dialect is how one kind of shell says it.
type Dialect interface {
	export(name, value string) string
	unset(names ...string) string
	defineAWS() string
	removeAWS() string
	usage(command string) string
}

// Dialects by name, as --shell takes it.
var Dialects = map[string]Dialect{"posix": posix{}, "fish": fish{}, "powershell": powershell{}}

// Apply returns the commands that point the shell at t. environ is the shell's
// environment as the process got it.
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
	// Tools differ in which of the two they read, and many let the lower case
	// win: one that is missing takes over what the other says.
	upper, lower := env["NO_PROXY"], env["no_proxy"]
	set["NO_PROXY"] = addHost(orDefault(upper, lower), t.Host)
	set["no_proxy"] = addHost(orDefault(lower, upper), t.Host)

	gone := []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		// These would win over AWS_ENDPOINT_URL.
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL_") || name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" {
			gone = append(gone, name)
		}
	}
	set[savedVariable] = encodeSaved(env, slices.Concat(slices.Collect(maps.Keys(set)), gone))
	if t.OldAWS {
		set[functionVariable] = "1"
	}

	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		b.WriteString(d.export(name, set[name]))
	}
	b.WriteString(d.unset(gone...))
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
	gone := []string{}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if v := old[name]; v != nil {
			b.WriteString(d.export(name, *v))
		} else {
			gone = append(gone, name)
		}
	}
	b.WriteString(d.unset(append(gone, savedVariable)...))
	if env[functionVariable] != "" {
		b.WriteString(d.removeAWS())
		b.WriteString(d.unset(functionVariable))
	}
	b.WriteString(d.usage("ashore env --unset"))
	return b.String(), nil
}

// BlockingProxy names the variable whose proxy would swallow calls to host.
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

// encodeSaved adds what names are now to what was remembered before: after Apply
// has run twice, Revert goes back to the start.
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
