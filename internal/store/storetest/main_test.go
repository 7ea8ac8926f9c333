package storetest_test

import (
	"os"
	"testing"

	"github.com/ashore/ashore/internal/store/etcdtest"
)

func TestMain(m *testing.M) {
	etcdtest.Serve()
	os.Exit(m.Run())
}
