package forward

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	s, err := Parse(Example)
	if err != nil || s.Service != "s3" || s.URL.String() != "https://s3.eu-west-1.amazonaws.com" || s.Profile != "store" || s.Region != "eu-west-1" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := Parse("sqs=http://127.0.0.1:5000/"); err != nil || s.Service != "sqs" || s.URL.String() != "http://127.0.0.1:5000" || s.Profile+s.Region != "" {
		t.Errorf("%+v, %v", s, err)
	}
	for text, want := range map[string]string{
		"":                                  "does not begin with",
		"s3":                                "does not begin with",
		"S3=http://a":                       "does not begin with",
		"s3=":                               "must be http://HOST",
		"s3=ftp://a":                        "must be http://HOST",
		"s3=a:9000":                         "must be http://HOST",
		"s3=http://a/path":                  "no path",
		"s3=http://a?b=c":                   "no path",
		"s3=http://key:geheim@a":            "must not have a user",
		"s3=http://key:geheim@a:b":          "not a URL",
		"s3=http://a,profile=":              "neither profile",
		"s3=http://a,profile=b,profile=c":   "neither profile",
		"s3=http://a,region=Nowhere":        "neither profile",
		"s3=http://a,secret=none":           "neither profile",
		"s3=http://a,profile=b,s3=http://c": "neither profile",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Keys that are renewed in the file are used from the next call on.
func TestCredentialsOfAProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source := Profile(path, "store")
	if _, err := source(); err == nil {
		t.Error("there is no file")
	}
	write("[other]\naws_access_key_id = A\naws_secret_access_key = S\n")
	if _, err := source(); err == nil || !strings.Contains(err.Error(), "[store]") {
		t.Error(err)
	}
	write("[store]\n# a remark = none\nAWS_ACCESS_KEY_ID=A\n\n[other]\naws_secret_access_key = S\n")
	if _, err := source(); err == nil || !strings.Contains(err.Error(), "has no aws_access_key_id and aws_secret_access_key") {
		t.Error(err)
	}
	write("[store]\naws_access_key_id = A\naws_secret_access_key = S=\naws_session_token = T\n")
	if c, err := source(); err != nil || c != (Credentials{"A", "S=", "T"}) {
		t.Error(c.AccessKeyID, err)
	}
	write("[store]\naws_access_key_id = longer\naws_secret_access_key = S\n")
	if c, err := source(); err != nil || c != (Credentials{"longer", "S", ""}) {
		t.Error(c.AccessKeyID, err)
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_SESSION_TOKEN": "T"}
	if _, err := Environment(func(k string) string { return env[k] })(); err == nil {
		t.Error("half of a key is enough")
	}
	env["AWS_SECRET_ACCESS_KEY"] = "S"
	if c, err := Environment(func(k string) string { return env[k] })(); err != nil || c != (Credentials{"A", "S", "T"}) {
		t.Error(err)
	}
}
