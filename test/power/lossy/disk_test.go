package lossy

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func newDisk(t *testing.T) *Disk {
	d, err := New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func put(t *testing.T, d *Disk, at int64, n int, b byte) {
	t.Helper()
	if err := d.Write(bytes.Repeat([]byte{b}, n), at); err != nil {
		t.Fatal(err)
	}
}

// TestPowerOn: flushed bytes are there after each cut. Each unit of the other bytes is
// either old or new, and all cases occur.
func TestPowerOn(t *testing.T) {
	d := newDisk(t)
	rng := rand.New(rand.NewPCG(1, 1))
	var all Loss
	for cut := range 300 {
		old, fresh := byte(cut%100), byte(100+cut%100)
		put(t, d, 0, 1<<16, old)
		d.Flush()
		put(t, d, 0, 1<<13, fresh)
		put(t, d, 1<<13, 1<<13, fresh)
		put(t, d, 1<<15, 512, fresh)
		d.Freeze()
		d.PowerOff()
		put(t, d, 0, 1<<16, 250) // too late
		d.Flush()
		l := d.PowerOn(rng)
		all.Kept, all.Lost, all.Torn = all.Kept+l.Kept, all.Lost+l.Lost, all.Torn+l.Torn
		got := make([]byte, 1<<16)
		d.Read(got, 0)
		if !bytes.Equal(got, d.durable[:1<<16]) {
			t.Fatal("what is seen is not what is durable")
		}
		for at, b := range got {
			if written := at < 1<<14 || at >= 1<<15 && at < 1<<15+512; b != old && (b != fresh || !written) {
				t.Fatalf("cut %d: %d at %d", cut, b, at)
			}
			if b != got[at/512*512] {
				t.Fatalf("cut %d: the unit at %d is torn", cut, at/512*512)
			}
		}
		for at := range whole {
			if got[at] != got[0] {
				t.Fatalf("cut %d: the superblock is torn", cut)
			}
		}
	}
	if all.Kept == 0 || all.Lost == 0 || all.Torn == 0 {
		t.Error(all)
	}
}

// TestFreezeIn: the disk freezes before the selected flush. Waiting callers continue
// after PowerOff.
func TestFreezeIn(t *testing.T) {
	d := newDisk(t)
	d.FreezeIn(2)
	put(t, d, 0, 512, 1)
	d.Flush()
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Flush()
	}()
	<-d.Frozen()
	select {
	case <-done:
		t.Error("it was answered")
	default:
	}
	d.PowerOff()
	<-done
	d.PowerOn(rand.New(rand.NewPCG(1, 1)))
	got := make([]byte, 1)
	if d.Read(got, 0); got[0] != 1 {
		t.Error("what was flushed is lost")
	}
	select {
	case <-d.Frozen():
		t.Error("it is frozen still")
	default:
	}
}
