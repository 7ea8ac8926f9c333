package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
)

// A node is a server process for the tests that kill servers. It is a store that
// executes operations on registers. Clients reach it over HTTP on a unix socket.

const nodeEnv = "ASHORE_STORE_NODE"

type nodeSpec struct {
	Socket string
	Etcd   string // endpoint of an external etcd; if empty, etcd is embedded in Dir
	Dir    string
}

// operation is an operation on a register: read it, swap its value, or swap it if it
// has the old value.
type operation struct {
	Kind     string // "read", "swap", "cas"
	Key      string
	Old, New int
}

// result is the result of an operation: the earlier value, and whether a cas succeeded.
type result struct {
	Value int
	Done  bool
	// Refused says that the operation certainly had no effect.
	Refused string `json:",omitempty"`
}

// serveNode never returns if this process is a node.
func serveNode() {
	text, ok := os.LookupEnv(nodeEnv)
	if !ok {
		return
	}
	if err := runNode(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runNode(text string) error {
	var spec nodeSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	ctx := context.Background()
	cfg := Config{LeaseTTL: 2 * time.Second}
	var s *Store
	if spec.Etcd == "" {
		e, err := Embed(ctx, spec.Dir)
		if err != nil {
			return err
		}
		cfg.Sole, cfg.MaintainEvery = true, 100*time.Millisecond
		if s, err = Open(ctx, e.Client, cfg); err != nil {
			return err
		}
	} else {
		client, err := Connect(ctx, ConnectConfig{Endpoints: []string{spec.Etcd}})
		if err != nil {
			return err
		}
		if s, err = Open(ctx, client, cfg); err != nil {
			return err
		}
	}
	if err := os.Remove(spec.Socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	l, err := net.Listen("unix", spec.Socket)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() {
		failed <- http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var op operation
			if err := json.NewDecoder(r.Body).Decode(&op); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			res, err := execute(r.Context(), s, op)
			if err != nil {
				if errors.Is(err, ErrUnknown) {
					http.Error(w, err.Error(), http.StatusInternalServerError)
					return
				}
				res.Refused = err.Error()
			}
			if err := json.NewEncoder(w).Encode(res); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}))
	}()
	go func() { failed <- etcdtest.WaitForParent() }()
	etcdtest.Ready(spec.Socket)
	return <-failed
}

func execute(ctx context.Context, s *Store, op operation) (res result, err error) {
	key := FamilyKey(op.Key)
	if op.Kind == "read" {
		snap, err := s.Fresh(ctx)
		if err != nil {
			return res, err
		}
		if f := snap.Family(op.Key); f != nil {
			res.Value = f.Latest
		}
		return res, nil
	}
	err = s.Update(ctx, func(tx *Tx) error {
		res = result{}
		if f := Get(tx, key); f != nil {
			res.Value = f.Latest
		}
		if op.Kind == "cas" && res.Value != op.Old {
			return nil
		}
		res.Done = true
		return Put(tx, key, &fleet.Family{Name: op.Key, Latest: op.New})
	})
	return res, err
}

// node is a node's process, as the test sees it.
type node struct {
	process etcdtest.Process
	http    *http.Client
}

func newNode(t testing.TB, spec nodeSpec) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		t.Fatal(err)
	}
	spec.Socket = filepath.Join(dir, "sock")
	if spec.Etcd == "" {
		spec.Dir = filepath.Join(dir, "data")
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{process: etcdtest.Process{Env: nodeEnv, Value: string(text), Log: filepath.Join(dir, "log")}}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", spec.Socket)
	}}
	n.http = &http.Client{Transport: transport, Timeout: 5 * time.Second}
	t.Cleanup(func() {
		n.process.Kill()
		transport.CloseIdleConnections()
		if t.Failed() {
			if said, err := os.ReadFile(n.process.Log); err == nil {
				t.Logf("node: %s", said)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if _, err := n.process.Start(); err != nil {
		t.Fatal(err)
	}
	return n
}

// do executes an operation. After an error its effect is unknown.
func (n *node) do(op operation) (res result, err error) {
	body, err := json.Marshal(op)
	if err != nil {
		return res, err
	}
	r, err := n.http.Post("http://node/", "application/json", bytes.NewReader(body))
	if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
		return result{Refused: err.Error()}, nil // no node was asked
	}
	if err != nil {
		return res, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return res, fmt.Errorf("status %d", r.StatusCode)
	}
	return res, json.NewDecoder(r.Body).Decode(&res)
}
