//go:build linux

// Package lan is a network on this machine for tests: a bridge in a network namespace,
// and places. A place is a namespace with an address that reaches the other places only
// through the bridge. Any two places can be cut apart: the bridge then drops their
// packets silently.
//
//	this namespace ──┐           ┌── place "server0"
//	  addresses of   ├── bridge ─┼── place "etcd0"
//	  its own        ┘   (hub)   └── …
//
// The package uses `ip` and `nft` and needs root. The namespaces' names contain the
// name of the process that made them. The next process removes the namespaces of a
// killed one.
package lan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const prefix = "ashorelan-"

// Lan is a network. Its methods are for one goroutine. Cut, Restore and RestoreAll may
// be called from any goroutine.
type Lan struct {
	name   string // prefix of the namespaces' names
	link   string // name of the interface in this namespace
	net    netip.Prefix
	next   netip.Addr
	places []*Place

	mu   sync.Mutex
	cuts map[[2]netip.Addr]bool // guarded by mu; the lower address comes first
}

// Place is a namespace in the network.
type Place struct {
	Name string
	Addr netip.Addr
	ns   string
}

// New creates a network without places. If it can't, its error says what is missing.
func New(ctx context.Context) (_ *Lan, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces need root: run it again by sudo, or inside a container with --privileged")
	}
	for tool, packet := range map[string]string{"ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: install the package %s, such as by scripts/ensure-test-tools.sh", err, packet)
		}
	}
	if err := removeStale(ctx); err != nil {
		return nil, err
	}
	pid := os.Getpid()
	l := &Lan{
		name: fmt.Sprintf("%s%d-%d-", prefix, pid, rand.N(1000)), link: fmt.Sprintf("al%d", pid),
		cuts: map[[2]netip.Addr]bool{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.net, err = findFreeNetwork(ctx); err != nil {
		return nil, err
	}
	l.next = l.net.Addr().Next()
	hub := l.name + "hub"
	if err := ip(ctx, "netns", "add", hub); err != nil {
		return nil, fmt.Errorf("%w: network namespaces can't be made here: a container needs --privileged", err)
	}
	for _, args := range [][]string{
		{"-n", hub, "link", "add", "br0", "type", "bridge"},
		{"-n", hub, "link", "set", "br0", "up"},
		{"link", "add", l.link, "type", "veth", "peer", "name", "root", "netns", hub},
		{"-n", hub, "link", "set", "root", "master", "br0", "up"},
		{"link", "set", l.link, "up"},
	} {
		if err := ip(ctx, args...); err != nil {
			return nil, err
		}
	}
	return l, l.applyRules(ctx)
}

// findFreeNetwork finds a network of 254 addresses that this machine does not use.
func findFreeNetwork(ctx context.Context) (netip.Prefix, error) {
	used, err := run(ctx, "", "ip", "-4", "route", "show")
	if err != nil {
		return netip.Prefix{}, err
	}
	for range 100 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(200 + rand.N(55)), byte(rand.N(256)), 0}), 24)
		if !strings.Contains(used, p.String()) {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("no free network in 10.200.0.0/13 among:\n%s", used)
}

func (l *Lan) addr() netip.Addr {
	a := l.next
	l.next = a.Next()
	return a
}

// AddLocalAddress adds an address in the network to this process's own namespace.
func (l *Lan) AddLocalAddress(ctx context.Context) (netip.Addr, error) {
	a := l.addr()
	return a, ip(ctx, "addr", "add", netip.PrefixFrom(a, 24).String(), "dev", l.link)
}

// Add adds a place.
func (l *Lan) Add(ctx context.Context, name string) (*Place, error) {
	p := &Place{Name: name, Addr: l.addr(), ns: l.name + name}
	if err := ip(ctx, "netns", "add", p.ns); err != nil {
		return nil, err
	}
	l.places = append(l.places, p)
	hub := l.name + "hub"
	for _, args := range [][]string{
		{"-n", hub, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", p.ns},
		{"-n", hub, "link", "set", name, "master", "br0", "up"},
		{"-n", p.ns, "link", "set", "lo", "up"},
		{"-n", p.ns, "addr", "add", netip.PrefixFrom(p.Addr, 24).String(), "dev", "eth0"},
		{"-n", p.ns, "link", "set", "eth0", "up"},
	} {
		if err := ip(ctx, args...); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Command returns a command that runs at the place. Its process is the program itself,
// not a helper's child.
func (p *Place) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", p.ns, name}, args...)...)
}

// Forward forwards a port of the place's address to the same port of its loopback. So the
// network reaches a server that listens only there.
func (p *Place) Forward(ctx context.Context, port int) error {
	if _, err := run(ctx, "1", "ip", "netns", "exec", p.ns, "tee", "/proc/sys/net/ipv4/conf/eth0/route_localnet"); err != nil {
		return err
	}
	_, err := run(ctx, fmt.Sprintf("table ip lead { chain in { type nat hook prerouting priority dstnat; tcp dport %d dnat to 127.0.0.1; }; }", port),
		"ip", "netns", "exec", p.ns, "nft", "-f", "-")
	return err
}

// Cut drops all packets between two addresses from now on.
func (l *Lan) Cut(ctx context.Context, a, b netip.Addr) error {
	return l.change(ctx, func() { l.cuts[pair(a, b)] = true })
}

// Restore lets the packets between two addresses pass again.
func (l *Lan) Restore(ctx context.Context, a, b netip.Addr) error {
	return l.change(ctx, func() { delete(l.cuts, pair(a, b)) })
}

// RestoreAll lets all packets pass.
func (l *Lan) RestoreAll(ctx context.Context) error {
	return l.change(ctx, func() { clear(l.cuts) })
}

func pair(a, b netip.Addr) [2]netip.Addr {
	if b.Less(a) {
		a, b = b, a
	}
	return [2]netip.Addr{a, b}
}

func (l *Lan) change(ctx context.Context, f func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	return l.applyRules(ctx)
}

// applyRules sets the bridge's rules, all at once.
func (l *Lan) applyRules(ctx context.Context) error {
	var pairs []string
	for c := range l.cuts {
		pairs = append(pairs, fmt.Sprintf("%s . %s, %s . %s", c[0], c[1], c[1], c[0]))
	}
	slices.Sort(pairs)
	drop := ""
	if len(pairs) > 0 {
		drop = "ip saddr . ip daddr { " + strings.Join(pairs, ", ") + " } drop;"
	}
	_, err := run(ctx, "flush ruleset\ntable bridge cut { chain forward { type filter hook forward priority 0; "+drop+" }; }\n",
		"ip", "netns", "exec", l.name+"hub", "nft", "-f", "-")
	return err
}

// Close kills the processes at the places and removes the network.
func (l *Lan) Close() error {
	// The hub's removal removes it, too, but some time later.
	_, missing := net.InterfaceByName(l.link)
	var err error
	if missing == nil {
		err = ip(context.Background(), "link", "del", l.link)
	}
	return errors.Join(purge(context.Background(), l.name), err)
}

// removeStale removes the networks of dead processes.
func removeStale(ctx context.Context) error {
	names, err := namespaces(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, ns := range names {
		pid, _, _ := strings.Cut(strings.TrimPrefix(ns, prefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			errs = append(errs, purge(ctx, ns))
		}
	}
	return errors.Join(errs...)
}

// purge removes the namespaces with a prefix, and their processes. The links are
// removed with the hub.
func purge(ctx context.Context, begin string) error {
	names, err := namespaces(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, ns := range names {
		if !strings.HasPrefix(ns, begin) {
			continue
		}
		pids, err := run(ctx, "", "ip", "netns", "pids", ns)
		errs = append(errs, err)
		for _, f := range strings.Fields(pids) {
			if pid, err := strconv.Atoi(f); err == nil {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					errs = append(errs, err)
				}
			}
		}
		errs = append(errs, ip(ctx, "netns", "del", ns))
	}
	return errors.Join(errs...)
}

func namespaces(ctx context.Context) (out []string, err error) {
	text, err := run(ctx, "", "ip", "netns", "list")
	for line := range strings.Lines(text) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	return out, err
}

func ip(ctx context.Context, args ...string) error {
	_, err := run(ctx, "", "ip", args...)
	return err
}

func run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return string(out), nil
}
