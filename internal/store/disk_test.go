package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"go.uber.org/zap"
)

func discarded() *slog.Logger { return slog.New(slog.DiscardHandler) }

// fakeRoom is a disk whose free space a test sets.
type fakeRoom struct{ bytes, files atomic.Int64 }

func (r *fakeRoom) look(string) (room, error) { return room{r.bytes.Load(), r.files.Load()}, nil }

// TestFullDisk: with too little free space no caller can write, and stored records can
// be read. With enough space writes go on.
func TestFullDisk(t *testing.T) {
	e := embedded(t, t.TempDir())
	fake := new(fakeRoom)
	fake.bytes.Store(1 << 40)
	fake.files.Store(-1)
	e.disk.readRoom = fake.look
	s := opened(t, e.Client, Config{Sole: true, MaintainEvery: time.Hour, Room: e.Room, defragFrom: 1})
	ctx := within(t)
	putCluster(t, s, "before")
	write := func() error {
		return s.Update(ctx, func(tx *Tx) error {
			Get(tx, ClusterKey("c"))
			return Put(tx, ClusterKey("c"), &fleet.Cluster{Name: "c"})
		})
	}
	refused := func(what string, want ...string) {
		t.Helper()
		rev, leases := e.etcd.Server.KV().Rev(), leasesOf(t, e)
		errs := map[string]error{"update": write(), "look after": s.maintainOnce(ctx, s.Snapshot().rev)}
		_, errs["lease"] = s.Lease(ctx)
		for name, err := range errs {
			if !errors.Is(err, ErrDisk) || errors.Is(err, ErrUnknown) {
				t.Errorf("%s: %s: %v", what, name, err)
			}
			for _, w := range append(want, e.disk.dir) {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("%s: %s: no %q in %v", what, name, w, err)
				}
			}
		}
		if now, are := e.etcd.Server.KV().Rev(), leasesOf(t, e); now != rev || are != leases {
			t.Errorf("%s: etcd came from revision %d to %d, from %d leases to %d", what, rev, now, leases, are)
		}
		if s.Snapshot().Cluster("before") == nil {
			t.Errorf("%s: reads end with writes", what)
		}
		if w := s.Warnings(); len(w) != 1 || w[0].Name != "disk-full" {
			t.Errorf("%s: warnings %v", what, w)
		}
	}
	fake.bytes.Store(DefaultReserve - 1)
	refused("too little", "128.0 MiB are free")
	fake.bytes.Store(DefaultReserve)
	refused("a little more", "160.0 MiB are needed")
	fake.bytes.Store(DefaultReserve * 5 / 4)
	if err := write(); err != nil {
		t.Error("with room:", err)
	}
	if w := s.Warnings(); len(w) != 0 {
		t.Errorf("with room: warnings %v", w)
	}
	// A copy of etcd's file is made only if there is space for it.
	var full *DiskError
	if err := e.Room(1 << 30); !errors.As(err, &full) || full.Need != DefaultReserve+1<<30 {
		t.Errorf("a GiB more: %v", err)
	}
	if err := write(); err != nil {
		t.Error("after a question for more:", err)
	}
	fake.files.Store(fewInodes - 1)
	refused("no more files", "no more files")
	fake.files.Store(fewInodes * 2)
	if err := write(); err != nil {
		t.Error("with files:", err)
	}
}

func leasesOf(t *testing.T, e *Embedded) int {
	t.Helper()
	r, err := e.Client.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(r.Leases)
}

// TestEtcdEnds: a Fatal or Panic of etcd ends neither the process nor the callers that
// wait for etcd.
func TestEtcdEnds(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for name, say := range map[string]func(*zap.Logger){
		"fatal":         func(l *zap.Logger) { l.Fatal("failed to save", zap.Error(full)) },
		"panic":         func(l *zap.Logger) { l.Panic("failed to save", zap.Error(full)) },
		"sugared panic": func(l *zap.Logger) { l.Sugar().Panicf("failed to save: %v", full) },
	} {
		t.Run(name, func(t *testing.T) {
			end := newEtcdEnd(func() {})
			released := make(chan struct{})
			go func() {
				defer close(released)
				defer func() {
					if p := recover(); p != nil {
						t.Error("a panic on its way up:", p)
					}
				}()
				say(end.logger(zapTo(discarded())))
			}()
			<-end.done
			<-end.stuck
			if err := end.failure(); err == nil || !strings.Contains(err.Error(), "failed to save") || name != "sugared panic" && !isDisk(err) {
				t.Errorf("%v", err)
			}
			select {
			case <-released:
				t.Error("etcd ran on")
			default:
			}
			close(end.release)
			<-released
		})
	}
}

// TestNoNextSegment: etcd finds no space for the next segment of its log. It runs on
// and must be restarted. Until then writes are refused, and the incomplete segment is
// removed.
func TestNoNextSegment(t *testing.T) {
	e := embedded(t, t.TempDir())
	left := filepath.Join(memberDir(e.disk.dir), "wal", "1.tmp")
	if err := os.WriteFile(left, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.end.logger(zapTo(discarded())).Error("failed to preallocate space when creating a new WAL", zap.Error(syscall.ENOSPC))
	<-e.Stuck()
	if err := e.Room(0); !errors.Is(err, ErrDisk) {
		t.Error(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Error("the rest of the segment stays:", err)
	}
	if err := e.AwaitDisk(within(t)); err != nil {
		t.Error("with room:", err)
	}
	probes, err := filepath.Glob(filepath.Join(e.disk.dir, ".probe*"))
	if err != nil || len(probes) != 0 {
		t.Error(probes, err)
	}
}

// TestFilesGone: writes into removed files would be lost. They are refused. Stored
// records can be read and saved.
func TestFilesGone(t *testing.T) {
	for _, what := range []string{"snap/db", "wal", ""} {
		t.Run("member/"+what, func(t *testing.T) {
			dir := t.TempDir()
			e := embedded(t, dir)
			s := opened(t, e.Client, Config{Sole: true, MaintainEvery: time.Hour, Room: e.Room})
			putCluster(t, s, "before")
			if err := os.RemoveAll(filepath.Join(memberDir(dir), what)); err != nil {
				t.Fatal(err)
			}
			write := func() error {
				return s.Update(t.Context(), func(tx *Tx) error {
					Get(tx, ClusterKey("c"))
					return Put(tx, ClusterKey("c"), &fleet.Cluster{Name: "c"})
				})
			}
			var gone *GoneError
			for begun := time.Now(); !errors.As(write(), &gone); {
				if time.Since(begun) > 20*time.Second {
					t.Fatal("it goes on to write")
				}
			}
			if !strings.HasPrefix(gone.Path, memberDir(dir)) || !strings.Contains(gone.Public(), "ashore backup") {
				t.Error(gone)
			}
			if s.Snapshot().Cluster("before") == nil {
				t.Error("reads end with writes")
			}
			file := filepath.Join(t.TempDir(), "backup")
			if info, err := BackupFile(t.Context(), Target{Dir: dir}, file); err != nil || info.Records == 0 {
				t.Errorf("backup: %+v, %v", info, err)
			}
		})
	}
}

// TestBallast: a start on a full disk uses the space of the ballast.
func TestBallast(t *testing.T) {
	fake := new(fakeRoom)
	fake.files.Store(-1)
	d := newDisk(t.TempDir(), DefaultReserve, discarded())
	d.readRoom = fake.look
	size := func() int64 {
		info, err := os.Stat(d.ballastPath())
		if err != nil {
			return -1
		}
		return info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	fake.bytes.Store(DefaultReserve + ballastSize - 1)
	if d.writeBallast(); size() != -1 {
		t.Error("kept where there is no room for it")
	}
	fake.bytes.Store(DefaultReserve + ballastSize)
	if d.writeBallast(); size() < ballastSize {
		t.Errorf("it takes %d bytes of the disk", size())
	}
	d.writeBallast()
	if d.removeBallast(); size() != -1 {
		t.Error("not given back")
	}
	d.removeBallast()
}

func TestMountOf(t *testing.T) {
	for dir, want := range map[string]string{"/proc/self": "/proc", "/": "/"} {
		if got := mountOf(dir); got != want {
			t.Errorf("%s is on %q, want %q", dir, got, want)
		}
	}
	if got := unescapeMount(`/a\040b\134c`); got != `/a b\c` {
		t.Error(got)
	}
}
