//go:build linux

// Package cluster kills and partitions three servers and three etcd members under load.
// They are processes in network namespaces. Witnesses outside of Ashore count what
// happens to the tasks.
package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// roleEnv makes this test binary an etcd member or an agent.
const roleEnv = "ASHORE_TEST_CLUSTER"

// role is the role of a process of the test binary.
type role struct {
	Member *memberSpec `json:",omitempty"`
	Agent  *agentSpec  `json:",omitempty"`
}

func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(roleEnv)
	if !ok {
		os.Exit(m.Run())
	}
	var r role
	err := json.Unmarshal([]byte(text), &r)
	switch {
	case err != nil:
	case r.Member != nil:
		err = r.Member.run()
	case r.Agent != nil:
		err = r.Agent.run()
	}
	fmt.Fprintln(os.Stderr, "ended:", err)
	os.Exit(1)
}
