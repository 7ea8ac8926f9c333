//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/wire/acs"
)

// watchAccounts repeatedly asks every agent for its tasks that have not ended, and sums up
// their resources. An agent delays a task that does not fit, so its machine alone would
// not show that the control plane gave a host too much. wait waits for the end.
func (w *world) watchAccounts(ctx context.Context) (wait func()) {
	var g sync.WaitGroup
	for _, h := range w.hosts {
		g.Go(func() {
			for ctx.Err() == nil {
				if err := h.account(ctx); err != nil && ctx.Err() == nil && !isAgentDown(err) {
					w.ledger.note("%s: %v", h.name, err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(30 * time.Millisecond):
				}
			}
		})
	}
	return g.Wait
}

// isAgentDown says whether an error is that of a killed agent.
func isAgentDown(err error) bool {
	var n net.Error
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, fs.ErrNotExist) || errors.As(err, &n)
}

// state returns the agent's state.
func (h *host) state(ctx context.Context) (*agent.State, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(h.dir, agent.SocketFile))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/v1/state", nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	s := new(agent.State)
	if err := json.NewDecoder(res.Body).Decode(s); err != nil {
		return nil, &net.OpError{Op: "read", Err: err} // the answer was cut off
	}
	return s, nil
}

// id returns the host's id as a container instance.
func (h *host) id(ctx context.Context) (string, error) {
	s, err := h.state(ctx)
	if err != nil {
		return "", err
	}
	return s.InstanceArn[strings.LastIndexByte(s.InstanceArn, '/')+1:], nil
}

func (h *host) account(ctx context.Context) error {
	s, err := h.state(ctx)
	if err != nil {
		return err
	}
	var cpu, memory int64
	ports := map[int32]string{}
	for _, t := range s.Tasks {
		if t.Status == acs.StatusStopped {
			continue
		}
		n := needs[t.Family]
		cpu += int64(n.cpu)
		memory += int64(n.memory) << 20
		if n.port > 0 {
			if other := ports[n.port]; other != "" {
				h.machine.ledger.note("%s: port %d was given to %s and %s", h.name, n.port, other, t.Arn)
			}
			ports[n.port] = t.Arn
		}
	}
	if cpu > h.machine.cpu || memory > h.machine.memory {
		h.machine.ledger.note("%s was given tasks of %d CPU units and %d MiB and has %d and %d", h.name, cpu, memory>>20, h.machine.cpu, h.machine.memory>>20)
	}
	return nil
}
