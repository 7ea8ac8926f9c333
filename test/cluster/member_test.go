//go:build linux

package cluster

import (
	"net/netip"
	"net/url"

	"go.etcd.io/etcd/server/v3/embed"
)

// These are the ports of the members, on the addresses of their places.
const (
	clientPort = 2379
	peerPort   = 2380
)

// memberSpec describes one etcd member.
type memberSpec struct {
	Name, Dir string
	Addr      netip.Addr
	Initial   string // name=URL of all members
}

func at(a netip.Addr, port uint16) url.URL {
	return url.URL{Scheme: "http", Host: netip.AddrPortFrom(a, port).String()}
}

// run runs the member in this process, with etcd's default timing.
func (m *memberSpec) run() error {
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = m.Name, m.Dir
	cfg.LogLevel, cfg.LogOutputs = "warn", []string{"stderr"}
	client, peer := at(m.Addr, clientPort), at(m.Addr, peerPort)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = m.Initial
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	return <-e.Err()
}
