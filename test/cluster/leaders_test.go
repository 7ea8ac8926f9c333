//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// serverIDs finds the ids of a server's processes in its log.
var serverIDs = regexp.MustCompile(`msg=serving .*\bserver=(\w+)`)

// names returns the servers' names in this world, by their ids.
func (w *world) names() (map[string]string, error) {
	names := map[string]string{}
	for _, s := range w.servers {
		log, err := os.ReadFile(s.log)
		if err != nil {
			return nil, err
		}
		for _, m := range serverIDs.FindAllSubmatch(log, -1) {
			names[string(m[1])] = s.name
		}
	}
	return names, nil
}

// serverOf returns the server to which a host is connected. It reads etcd itself.
func (w *world) serverOf(ctx context.Context, h *host) (string, error) {
	names, err := w.names()
	if err != nil {
		return "", err
	}
	id, err := h.id(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := w.etcd.Get(ctx, w.root()+"cluster/"+clusterName+"/instance/"+id+"/session")
	if err != nil {
		return "", err
	}
	if len(r.Kvs) == 0 {
		return "", fmt.Errorf("%s is not connected", h.name)
	}
	var s fleet.InstanceSession
	err = json.Unmarshal(r.Kvs[0].Value, &s)
	return names[s.Server], err
}

// root returns the prefix of all records in etcd. To read all of them repeatedly would
// slow the servers down.
func (w *world) root() string {
	return store.DefaultPrefix + "/v1/" + w.admin.Account + "/" + w.admin.Region + "/"
}

// readLeaders returns the leaders: election → the server's name in this world. It reads etcd
// itself.
func (w *world) readLeaders(ctx context.Context) (map[string]string, error) {
	names, err := w.names()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	below := w.root() + "election/"
	r, err := w.etcd.Get(ctx, below, clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, kv := range r.Kvs {
		what := strings.TrimPrefix(string(kv.Key), below)
		var e store.Election
		if err := json.Unmarshal(kv.Value, &e); err != nil {
			return nil, err
		}
		if names[e.Server] == "" {
			return nil, fmt.Errorf("%s is led by %s, which no server's log names", what, e.Server)
		}
		out[what] = names[e.Server]
	}
	return out, nil
}

// awaitLeaders waits until every election has a leader, and returns the leaders.
func (w *world) awaitLeaders() map[string]string {
	w.t.Helper()
	var out map[string]string
	w.eventually("all controllers have a leader", func() (err error) {
		if out, err = w.readLeaders(w.ctx); err == nil && len(out) < controllers {
			err = fmt.Errorf("only %v", out)
		}
		return err
	})
	return out
}

// moveLimit is how soon another server must lead, on a machine with free CPU time.
const moveLimit = 5 * time.Second

// glance is how long a check of the leaders takes, including the wait before it, on
// such a machine. If a check takes longer, the servers and etcd lack that CPU time as
// well.
const glance = 30 * time.Millisecond

// awaitMove waits until another server leads everything that a server led. It returns how
// long that took, and how much of that time the machine was busy with other work.
func (w *world) awaitMove(from string, led map[string]string, since time.Time) (took, busy time.Duration, err error) {
	for {
		began := time.Now()
		now, err := w.readLeaders(w.ctx)
		left := ""
		for what, who := range led {
			if who == from && (now[what] == "" || now[what] == from) {
				left = what
			}
		}
		took := time.Since(since)
		if err == nil && left == "" {
			return took, busy, nil
		}
		if took > patience {
			return took, busy, fmt.Errorf("%s: still with %s, which is gone: %v (%v)", left, from, now, err)
		}
		time.Sleep(glance / 2)
		busy += max(0, time.Since(began)-glance)
	}
}
