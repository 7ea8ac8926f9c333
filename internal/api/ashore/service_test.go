package ashore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/identity"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), // of the clients, which keep their connections
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	)
}

// call signs as c and returns the status and the answer.
func call(t *testing.T, a *apitest.API, c identity.Credentials, operation string, in map[string]string) (int, map[string]string) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Ashore_20261121."+operation)
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(sum[:]), "ashore", apitest.Site.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out := map[string]string{}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, out
}

func TestService(t *testing.T) {
	a := apitest.Start(t)
	admin, err := identity.EnsureAdmin(t.Context(), a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	code, out := call(t, a, admin, "GetInstallation", map[string]string{})
	if code != 200 || out["installationId"] != a.Store.Installation().ID || out["account"] != apitest.Site.Account || out["region"] != apitest.Site.Region || out["version"] != "test" {
		t.Errorf("GetInstallation: %d %v", code, out)
	}
	code, out = call(t, a, admin, "CreateHostCredentials", map[string]string{"name": "web-1"})
	if code != 200 || out["principalArn"] != identity.HostARN(apitest.Site, "web-1") || len(out["secretAccessKey"]) != 40 || len(out["accessKeyId"]) != 20 {
		t.Fatalf("CreateHostCredentials: %d %v", code, out)
	}
	host := identity.Credentials{AccessKeyID: out["accessKeyId"], SecretAccessKey: out["secretAccessKey"]}
	if code, out := call(t, a, host, "CreateHostCredentials", map[string]string{"name": "web-2"}); code != 400 || out["__type"] != "AccessDeniedException" {
		t.Errorf("a host made credentials: %d %v", code, out["__type"])
	}
	if code, out := call(t, a, admin, "CreateHostCredentials", map[string]string{"name": "a/b"}); code != 400 || out["__type"] != "InvalidParameterException" {
		t.Errorf("bad name: %d %v", code, out["__type"])
	}
	if h := a.Store.Snapshot().Host("web-1"); h.HomeCluster() != "default" {
		t.Errorf("a host whose cluster nobody has named belongs to %q", h.HomeCluster())
	}
	a.Register("web-3", "default")
	if code, out := call(t, a, admin, "CreateHostCredentials", map[string]string{"name": "web-3"}); code != 400 || out["__type"] != "ConflictException" {
		t.Errorf("credentials of a connected host: %d %v", code, out["__type"])
	}
}
