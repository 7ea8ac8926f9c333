package sim

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A fleet in one process: its hosts join, are lost and return. Each container starts once,
// whatever the network does.
func TestFleet(t *testing.T) {
	w := newWorld(t, size{servers: 1})
	w.family("f", need{cpu: 16, memory: 16})
	f := NewFleet(FleetConfig{
		Hosts: 30, Servers: URLs(0, w.servers...), Installation: w.servers[0].Installation(), Cluster: cluster,
		Credentials: w.clients[0].CreateHostCredentials, CPUs: 4, Memory: 4000, Zones: 3,
		Faults:    Faults{Seed: w.seed, Start: 5 * time.Millisecond},
		Partition: Partition{Fraction: 0.1, Every: 100 * time.Millisecond, For: 300 * time.Millisecond},
	})
	closed := false
	end := func() {
		if closed {
			return
		}
		closed = true
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	zones := map[string]int{}
	for _, i := range w.instances(0) {
		for _, a := range i.Attributes {
			if *a.Name == "ecs.availability-zone" {
				zones[*a.Value]++
			}
		}
	}
	if len(zones) != 3 || zones["zone-1"] != 10 {
		t.Errorf("zones: %v", zones)
	}
	sock := filepath.Join(w.dir, "c.sock")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.ServeControl(ctx, sock) }()
	call := func(method, path, body string, out any) {
		t.Helper()
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", sock)
		}}}
		var res *http.Response
		w.eventually("the control socket answers", func() bool {
			req, err := http.NewRequestWithContext(t.Context(), method, "http://fleet"+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			res, err = c.Do(req)
			return err == nil
		})
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s", method, path, res.Status)
		}
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
	var away LoseOutput
	call(http.MethodPost, "/v1/lose", `{"hosts": 10}`, &away)
	if len(away.Hosts) != 10 {
		t.Errorf("%d hosts were lost", len(away.Hosts))
	}
	arns := w.mustRun(0, "f", 120) // some on hosts that are cut off at this moment
	var s Stats
	call(http.MethodGet, "/v1/stats", "", &s)
	if s.Lost != 10 || s.Joined != 30 {
		t.Errorf("%+v", s)
	}
	var back ReturnOutput
	call(http.MethodPost, "/v1/return", "", &back)
	if back.Hosts != 10 {
		t.Errorf("%d hosts returned", back.Hosts)
	}
	w.waitStatus(0, arns, "RUNNING")
	call(http.MethodGet, "/v1/stats", "", &s)
	if s.Started != len(arns) || s.Repeated != 0 || s.Running != len(arns) {
		t.Errorf("%+v", s)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	end()
	w.waitConnected(0) // no host is left connected
}
