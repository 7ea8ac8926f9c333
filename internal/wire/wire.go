// Package wire sets how soon a TCP connection notices that its other end has vanished
// silently. Agents and servers depend on this time: agents to switch to another server,
// servers to detect a lost host. The kernel probes an idle peer after Idle. It drops a
// connection if its peer acknowledges nothing for Silence.
package wire

import (
	"net"
	"time"
)

const (
	// Idle is how long a connection is idle before the kernel probes it.
	Idle = 5 * time.Second
	// Silence is how long sent data may stay unacknowledged.
	Silence = 10 * time.Second
	// The time of all probes together is not more than Silence.
	interval = 3 * time.Second
	count    = 3
)

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: Idle, Interval: interval, Count: count}

// Dialer returns a dialer for such connections. timeout bounds each connect.
func Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAliveConfig: keepAlive, Control: setUserTimeout}
}

// ListenConfig returns a configuration that accepts such connections.
func ListenConfig() *net.ListenConfig {
	return &net.ListenConfig{KeepAliveConfig: keepAlive, Control: setUserTimeout}
}
