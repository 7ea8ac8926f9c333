package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/store/etcdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// certificate writes a certificate for 127.0.0.1 that is its own CA.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestConnectTLS(t *testing.T) {
	cert, key := certificate(t)
	e := etcdtest.Start(t, etcdtest.Options{CertFile: cert, KeyFile: key, CAFile: cert})
	good := ConnectConfig{Endpoints: []string{e.Endpoint()}, CAFile: cert, CertFile: cert, KeyFile: key}
	putCluster(t, opened(t, connected(t, good), Config{}), "c")
	for name, bad := range map[string]ConnectConfig{
		"no certificate":    {Endpoints: good.Endpoints, CAFile: cert},
		"unknown authority": {Endpoints: good.Endpoints, CertFile: cert, KeyFile: key},
		"no TLS":            {Endpoints: []string{strings.Replace(e.Endpoint(), "https", "http", 1)}},
		"missing file":      {Endpoints: good.Endpoints, CAFile: cert + "x"},
	} {
		bad.Timeout = 2 * time.Second
		if c, err := Connect(t.Context(), bad); err == nil {
			c.Close()
			t.Errorf("connected with %s", name)
		}
	}
}

// TestConnectUser: Ashore needs only a user with permission for one prefix.
func TestConnectUser(t *testing.T) {
	e := etcdtest.Start(t, etcdtest.Options{TCP: true})
	root := e.Client(t)
	ctx := within(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step := func(_ any, err error) { t.Helper(); must(err) }
	step(root.UserAdd(ctx, "root", "secret"))
	step(root.UserGrantRole(ctx, "root", "root"))
	step(root.UserAdd(ctx, "ashore", "sesame"))
	step(root.RoleAdd(ctx, "ashore"))
	step(root.RoleGrantPermission(ctx, "ashore", "/ashore/", clientv3.GetPrefixRangeEnd("/ashore/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	step(root.UserGrantRole(ctx, "ashore", "ashore"))
	step(root.AuthEnable(ctx))

	cfg := ConnectConfig{Endpoints: []string{e.Endpoint()}, User: "ashore", Password: "sesame"}
	s := opened(t, connected(t, cfg), Config{})
	putCluster(t, s, "c")
	if snap, err := s.Fresh(ctx); err != nil || snap.Cluster("c") == nil {
		t.Errorf("fresh: %v", err)
	}
	cfg.Timeout = 2 * time.Second
	cfg.Password = "wrong"
	if _, err := Connect(ctx, cfg); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong password: %v", err)
	}
	cfg.User, cfg.Password = "", ""
	if c, err := Connect(ctx, cfg); err == nil {
		c.Close()
		t.Error("connected without a user")
	}
	cfg.Endpoints = []string{"http://127.0.0.1:1"}
	if _, err := Connect(ctx, cfg); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("nobody there: %v", err)
	}
}
