package sim

import (
	"testing"

	"github.com/ashore/ashore/internal/store/etcdtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	etcdtest.Serve()
	goleak.VerifyTestMain(m)
}
