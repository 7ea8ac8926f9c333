//go:build linux

package lan

import (
	"net"
	"os"
	"strconv"
	"testing"
)

const echoEnv = "ASHORE_TEST_LISTEN"

func itoa(n int) string { return strconv.Itoa(n) }

func TestMain(m *testing.M) {
	if addr := os.Getenv(echoEnv); addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			panic(err)
		}
		for {
			if _, err := l.Accept(); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}
