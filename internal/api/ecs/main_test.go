package ecs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/store/etcdtest"
	"github.com/aws/smithy-go"
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

// wantError checks an error's type and that its message says text.
func wantError[E smithy.APIError](t *testing.T, err error, text string) {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Errorf("error %v is not a %T", err, e)
		return
	}
	if !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("%s: %q does not say %q", e.ErrorCode(), e.ErrorMessage(), text)
	}
}
