// Package wire sets how soon a TCP connection whose other end has vanished
// without a word is noticed: both the agents and the servers depend on it to go
// over to others, and to know a lost host. The kernel asks an idle peer after
// Idle, and gives a peer that acknowledges nothing up after Silence.
package wire

import (
	"net"
	"time"
)

const (
	// Idle is how long a connection says nothing before it is tried.
	Idle = 5 * time.Second
	// Silence is how long what was sent may stay without acknowledgement.
	Silence = 10 * time.Second
	// interval and count of the probes: they make no more than Silence.
	interval = 3 * time.Second
	count    = 3
)

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: Idle, Interval: interval, Count: count}

// Dialer connects within a time.
func Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAliveConfig: keepAlive, Control: setUserTimeout}
}

// ListenConfig accepts such connections.
func ListenConfig() *net.ListenConfig {
	return &net.ListenConfig{KeepAliveConfig: keepAlive, Control: setUserTimeout}
}
