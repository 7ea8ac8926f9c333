package ecs_test

import (
	"testing"

	"github.com/ashore/ashore/internal/store/etcdtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	etcdtest.Serve()
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc.NewServer.func1"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), // of the SDK's client, which keeps its connections
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	)
}
