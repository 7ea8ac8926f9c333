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

// serverIDs finds the ids that a server process has had, in its log.
var serverIDs = regexp.MustCompile(`msg=serving .*\bserver=(\w+)`)

// names are the servers' names in this world, by the ids that they have had.
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

// serves tells which server a host is connected to. It reads etcd itself.
func (w *world) serves(ctx context.Context, h *host) (string, error) {
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

// root is the prefix of all records in etcd. Who reads them all, over and over,
// slows down what is measured.
func (w *world) root() string {
	return store.DefaultPrefix + "/v1/" + w.admin.Account + "/" + w.admin.Region + "/"
}

// leads tells who leads: what → server's name in this world. It reads etcd
// itself.
func (w *world) leads(ctx context.Context) (map[string]string, error) {
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

// settled waits until everything has a leader, and says which.
func (w *world) settled() map[string]string {
	w.t.Helper()
	var out map[string]string
	w.eventually("all controllers have a leader", func() (err error) {
		if out, err = w.leads(w.ctx); err == nil && len(out) < controllers {
			err = fmt.Errorf("only %v", out)
		}
		return err
	})
	return out
}

// moveLimit is how soon another server leads, on a machine that has time for it.
const moveLimit = 5 * time.Second

// glance is how long it takes to look who leads, and the wait before it, on such a
// machine. What looking takes beyond that, the servers and etcd lack as well.
const glance = 30 * time.Millisecond

// moved waits until nothing that a server led is led by it any more, and by
// somebody else instead. It returns how long that took, and how much of it the
// machine was busy with other things.
func (w *world) moved(from string, led map[string]string, since time.Time) (took, busy time.Duration, err error) {
	for {
		began := time.Now()
		now, err := w.leads(w.ctx)
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
