package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/shellenv"
)

// hostCommand has the commands about machines as container instances.
type hostCommand struct {
	Add    hostAddCommand    `cmd:"" help:"Make a host's credentials, for a stock ECS agent."`
	Assign hostAssignCommand `cmd:"" help:"Say which cluster a host belongs to, what attributes it is given, and how much it may register."`
	Move   hostMoveCommand   `cmd:"" help:"Register this host, idle, in another cluster."`
}

type hostMoveCommand struct {
	dataDir `kong:"embed"`
	Cluster string `required:"" placeholder:"NAME" help:"The cluster to register in; it must exist."`
}

func (hostMoveCommand) Example() string {
	return "aws ecs create-cluster --cluster-name MyCluster && ashore host move --cluster MyCluster"
}

func (h *hostMoveCommand) Run(ctx context.Context, t *terminal) error {
	l, err := h.layout()
	if err != nil {
		return err
	}
	if _, running, err := local.Running(l.PID("agent")); err != nil || !running {
		if err == nil {
			err = fmt.Errorf("no agent runs on this host for %s", l.Data)
		}
		return hint.With(err, "start one by `ashore up --detach --cluster %s`", shellenv.Word(h.Cluster))
	}
	back, err := h.assign(ctx, l)
	if err != nil {
		return err
	}
	var moved agent.MoveOutput
	if err := agentCall(ctx, l, http.MethodPost, "/v1/move", agent.MoveInput{Cluster: h.Cluster}, &moved); err != nil {
		// If the agent has not moved, assign its old cluster again.
		if is, stateErr := agentState(ctx, l); stateErr == nil && is.Cluster != h.Cluster {
			err = errors.Join(err, back())
		}
		return err
	}
	t.printf("this host is registered in the cluster %s, as %s\n", moved.Cluster, moved.InstanceArn)
	return nil
}

// assign assigns the host to its new cluster. Only an administrator may do so. If this
// machine has no administrator's key, the host must have been assigned elsewhere. back
// undoes the assignment.
func (h *hostMoveCommand) assign(ctx context.Context, l local.Layout) (back func() error, err error) {
	nothing := func() error { return nil }
	if _, err := os.Stat(l.Admin()); errors.Is(err, fs.ErrNotExist) {
		return nothing, nil
	}
	a, err := h.admin()
	if err != nil {
		return nil, err
	}
	key, err := hostKey(l)
	if err != nil {
		return nil, err
	}
	api := client.New(a)
	defer api.Close()
	if err := checkCluster(ctx, api, h.Cluster); err != nil {
		return nil, err
	}
	is, err := assign(ctx, api, "", key, client.HostTerms{Cluster: h.Cluster})
	if err != nil || is.PriorCluster == "" || is.PriorCluster == h.Cluster {
		return nothing, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		api := client.New(a)
		defer api.Close()
		_, err := assign(ctx, api, "", key, client.HostTerms{Cluster: is.PriorCluster})
		return err
	}, nil
}

// agentState returns the agent's state from its local socket.
func agentState(ctx context.Context, l local.Layout) (agent.State, error) {
	var s agent.State
	err := agentCall(ctx, l, http.MethodGet, "/v1/state", nil, &s)
	return s, err
}

// agentCall calls the agent over its local socket.
func agentCall(ctx context.Context, l local.Layout, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", l.AgentSocket())
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return json.Unmarshal(answer, out)
	}
	var e struct{ Error string }
	if json.Unmarshal(answer, &e) != nil || e.Error == "" {
		e.Error = strings.TrimSpace(string(answer))
	}
	err = fmt.Errorf("the agent refused: %s", e.Error)
	if resp.StatusCode == http.StatusConflict {
		return hint.With(err, "stop the tasks on this host by `aws ecs stop-task`, and try again")
	}
	return err
}
