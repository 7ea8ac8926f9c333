package power

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// setUpNetwork sets up loopback in the machine's own network, and lets the test reach an
// address there by a socket.
func setUpNetwork(p plan) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := errors.Join(unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo), unix.Close(fd)); err != nil {
		return err
	}
	if p.Socket == "" {
		return nil
	}
	if err := os.Remove(p.Socket); err != nil && !errors.Is(err, os.ErrNotExist) { // left by the last boot
		return err
	}
	l, err := net.Listen("unix", p.Socket)
	if err != nil {
		return err
	}
	go relay(l, "tcp", p.To)
	return nil
}

// relay connects each connection of l with an address, until l is closed. If no one
// listens there, the connection ends.
func relay(l net.Listener, network, address string) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.Dial(network, address)
			if err != nil {
				return
			}
			defer to.Close()
			ended := make(chan struct{}, 2)
			for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					// The end of either side ends both.
					_, _ = io.Copy(way[0], way[1])
					ended <- struct{}{}
				}()
			}
			<-ended
		}()
	}
}
