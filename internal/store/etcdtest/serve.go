package etcdtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

const specEnv = "ASHORE_ETCDTEST"

type spec struct {
	Options
	Dir, Endpoint string // Endpoint is empty at the first start
}

// Serve runs etcd and never returns if this process was started for it. Otherwise it
// does nothing.
func Serve() {
	text, ok := os.LookupEnv(specEnv)
	if !ok {
		return
	}
	if err := serve(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(text string) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(s.Dir, "data")
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{"stderr"}
	cfg.TickMs, cfg.ElectionMs = 20, 200
	cfg.QuotaBackendBytes = s.QuotaBytes
	client := url.URL{Scheme: "unix", Path: filepath.Join(s.Dir, "client.sock")}
	switch {
	case s.Endpoint != "":
		u, err := url.Parse(s.Endpoint)
		if err != nil {
			return err
		}
		client = *u
	case s.CAFile != "":
		client = url.URL{Scheme: "https", Host: "127.0.0.1:0"}
	case s.TCP:
		client = url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	}
	if s.CAFile != "" {
		cfg.ClientTLSInfo = transport.TLSInfo{CertFile: s.CertFile, KeyFile: s.KeyFile, TrustedCAFile: s.CAFile, ClientCertAuth: true}
	}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(s.Dir, "peer.sock")}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		return err
	}
	if client.Scheme != "unix" {
		client.Host = e.Clients[0].Addr().String()
	}
	Ready(client.String())
	return WaitForParent()
}
