// Package lossy is a disk that loses its power: a block device whose write cache is
// partly lost at a cut, like that of a real disk.
package lossy

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"golang.org/x/sys/unix"
)

// Disk has its bytes twice: as users read them, and as a cut leaves them. A flush makes
// the second equal to the first.
//
// From Freeze to PowerOff no request is answered, so no user of the disk learns of a
// success that the cut then undoes. After PowerOff every request is answered and no
// write counts, so that the kernel can unmount the file system. PowerOn ends that.
type Disk struct {
	Size           int64
	mu             sync.Mutex
	changed        *sync.Cond
	state          state
	seen           []byte        // what is read; guarded by mu, as are the fields below
	durable        []byte        // what a cut leaves
	ignoresFlushes bool          // ignore flushes
	pending        []write       // not in durable; oldest first
	dead           []extent      // written since PowerOff
	countIn        int           // number of flushes until it freezes by itself; 0 is never
	frozen         chan struct{} // closed by a freeze
	flushes        int
	writings       int
}

type state int

const (
	on state = iota
	frozen
	dead
)

type extent struct{ at, n int64 }

type write struct {
	at   int64
	data []byte
}

// whole is how many bytes at the beginning are written completely or not at all: ext4's
// superblock, which is read before the journal is replayed. A disk with sectors of 512
// bytes that tears it leaves a file system that no boot can mount.
const whole = 4096

// New makes a disk of zeros. It uses memory only where something was written.
func New(size int64) (*Disk, error) {
	d := &Disk{Size: size, frozen: make(chan struct{})}
	d.changed = sync.NewCond(&d.mu)
	for _, of := range []*[]byte{&d.seen, &d.durable} {
		var err error
		if *of, err = unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE); err != nil {
			return nil, fmt.Errorf("memory for a disk of %d bytes: %w", size, err)
		}
	}
	return d, nil
}

// Close frees the memory. No one may use the disk any more.
func (d *Disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, of := range []*[]byte{&d.seen, &d.durable} {
		if err := unix.Munmap(*of); err != nil {
			return err
		}
		*of = nil
	}
	return nil
}

// Read fills p with the newest written bytes, durable or not.
func (d *Disk) Read(p []byte, at int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.awaitLocked()
	if at < 0 || at >= d.Size {
		return 0
	}
	return copy(p, d.seen[at:])
}

// Write writes p into the cache.
func (d *Disk) Write(p []byte, at int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.awaitLocked()
	if at < 0 || at+int64(len(p)) > d.Size {
		return fmt.Errorf("%d bytes at %d on a disk of %d", len(p), at, d.Size)
	}
	copy(d.seen[at:], p)
	if d.state == dead {
		d.dead = append(d.dead, extent{at, int64(len(p))})
		return nil
	}
	d.writings++
	d.pending = append(d.pending, write{at, append([]byte(nil), p...)})
	return nil
}

// IgnoreFlushes makes the disk answer flushes without performing them, like a lying disk.
// It is for tests that must fail.
func (d *Disk) IgnoreFlushes(eats bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ignoresFlushes = eats
}

// Flush makes all earlier writes durable.
func (d *Disk) Flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countLocked()
	d.awaitLocked()
	if d.state == dead {
		return
	}
	d.flushes++
	if !d.ignoresFlushes {
		d.flushLocked()
	}
}

func (d *Disk) flushLocked() {
	for _, w := range d.pending {
		copy(d.durable[w.at:], w.data)
	}
	d.pending = nil
}

func (d *Disk) awaitLocked() {
	for d.state == frozen {
		d.changed.Wait()
	}
}

// countLocked freezes the disk before the flush that FreezeIn has selected.
func (d *Disk) countLocked() {
	if d.state != on || d.countIn == 0 {
		return
	}
	if d.countIn--; d.countIn == 0 {
		d.freezeLocked()
	}
}

func (d *Disk) freezeLocked() {
	if d.state == on {
		d.state, d.countIn = frozen, 0
		close(d.frozen)
	}
}

// FreezeIn makes the disk freeze by itself before the nth flush from now. By then most
// of what a cut can lose or tear is written.
func (d *Disk) FreezeIn(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countIn = n
}

// Frozen is closed when the disk freezes.
func (d *Disk) Frozen() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.frozen
}

// Freeze blocks all reads, writes and flushes.
func (d *Disk) Freeze() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.freezeLocked()
}

// PowerOff answers all requests, and writes from here on don't count. The processes that
// wait must be dead, or they would believe the answers.
func (d *Disk) PowerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = dead
	d.changed.Broadcast()
}

// Loss is what a cut did to the writes since the last flush.
type Loss struct {
	Kept, Lost, Torn int // numbers of writes
	Writes, Flushes  int // since power on
}

func (l Loss) String() string {
	return fmt.Sprintf("of %d writes not flushed %d kept, %d lost, %d torn", l.Kept+l.Lost+l.Torn, l.Kept, l.Lost, l.Torn)
}

// PowerOn ends a life of the disk after PowerOff. A random subset of the writes since the
// last flush becomes durable, some of them partly, in units of 512 or 4096 bytes. The
// disk is on again, with the durable bytes.
func (d *Disk) PowerOn(rng *rand.Rand) Loss {
	d.mu.Lock()
	defer d.mu.Unlock()
	unit := []int64{512, 4096}[rng.IntN(2)]
	keep := []float64{0, rng.Float64(), 1}[rng.IntN(3)]
	tear := []float64{0, rng.Float64()}[rng.IntN(2)]
	l := Loss{Writes: d.writings, Flushes: d.flushes}
	for _, w := range d.pending {
		switch n := int64(len(w.data)); {
		case w.at >= whole && n > unit && rng.Float64() < tear:
			l.Torn++
			for from := int64(0); from < n; from += unit {
				if rng.IntN(2) == 0 {
					copy(d.durable[w.at+from:], w.data[from:min(from+unit, n)])
				}
			}
		case rng.Float64() < keep:
			l.Kept++
			copy(d.durable[w.at:], w.data)
		default:
			l.Lost++
		}
	}
	for _, w := range d.pending {
		d.dead = append(d.dead, extent{w.at, int64(len(w.data))})
	}
	for _, e := range d.dead {
		copy(d.seen[e.at:e.at+e.n], d.durable[e.at:e.at+e.n])
	}
	d.pending, d.dead, d.state, d.frozen, d.writings, d.flushes = nil, nil, on, make(chan struct{}), 0, 0
	return l
}
