//go:build linux

package lan

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The places reach each other. They are cut and mended independently. Nothing is left
// behind, not even by a killed process.
func TestLan(t *testing.T) {
	ctx := t.Context()
	l, err := New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	t.Cleanup(func() {
		if !closed {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	here, err := l.AddLocalAddress(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.AddLocalAddress(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Add(ctx, "p")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Forward(ctx, 4700); err != nil {
		t.Fatal(err)
	}
	// An echo server at the place's loopback.
	cmd := p.Command(os.Args[0])
	cmd.Env = append(os.Environ(), echoEnv+"=127.0.0.1:4700")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dial := func(from netip.Addr) error {
		d := net.Dialer{Timeout: 300 * time.Millisecond, LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
		c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(p.Addr, 4700).String())
		if err == nil {
			err = c.Close()
		}
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err = dial(here); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if err := l.Cut(ctx, here, p.Addr); err != nil {
		t.Fatal(err)
	}
	if err := dial(here); err == nil || !err.(net.Error).Timeout() {
		t.Errorf("cut: %v", err)
	}
	if err := dial(other); err != nil {
		t.Errorf("not cut: %v", err)
	}
	if err := l.Restore(ctx, p.Addr, here); err != nil {
		t.Fatal(err)
	}
	if err := dial(here); err != nil {
		t.Errorf("mended: %v", err)
	}

	// The network of a dead process is removed by the next one. Ours stays.
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if err := ip(ctx, "netns", "add", prefix+itoa(gone.Process.Pid)+"-1-hub"); err != nil {
		t.Fatal(err)
	}
	if err := removeStale(ctx); err != nil {
		t.Fatal(err)
	}
	names, err := namespaces(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); strings.Contains(got, itoa(gone.Process.Pid)) || !strings.Contains(got, l.name+"p") {
		t.Errorf("after sweeping: %s", got)
	}
	closed = true
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process at the place goes on")
	}
	if names, err = namespaces(context.WithoutCancel(ctx)); err != nil || strings.Contains(strings.Join(names, " "), l.name) {
		t.Errorf("left: %v, %v", names, err)
	}
}
