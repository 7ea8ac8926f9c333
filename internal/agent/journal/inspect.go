package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// errDamaged is wrapped by every error about damage of the file.
var errDamaged = errors.New("damaged")

func damagef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errDamaged}, args...)...)
}

// checkLayout reads the file at path by bbolt's layout and returns what is wrong with it.
// bbolt maps the file into memory and follows its pages; a missing or torn page ends the
// process. So checkLayout first checks with plain reads everything that bbolt would
// follow. No process may write to the file meanwhile.
func checkLayout(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	m, err := readMeta(f)
	if err != nil {
		return err
	}
	if m.pages > uint64(size)/uint64(m.pageSize) {
		return damagef("%d bytes, cut short of %d pages of %d bytes", size, m.pages, m.pageSize)
	}
	w := &pageWalk{file: f, meta: m, seen: map[uint64]bool{}}
	if m.freelist != noFreelist {
		if err := w.checkFreelist(); err != nil {
			return err
		}
	}
	return w.checkTree(m.root, nil, nil)
}

// The layout, in the machine's byte order, from bbolt's internal/common. A page begins
// with its header: id uint64, flags uint16, count uint16, overflow uint32 (the number of
// further pages that belong to it). The elements of branches and of leaves have 16 bytes:
//
//	branch: pos uint32, ksize uint32, page uint64
//	leaf:   flags uint32, pos uint32, ksize uint32, vsize uint32
//
// pos counts from the element's own first byte. A bucket's value is root uint64, sequence
// uint64 and, if root is 0, a leaf page.
const (
	headerSize  = 16
	elementSize = 16
	bucketSize  = 16
	metaSize    = 64

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketLeaf   = 0x01

	magic       = 0xED0CDAED
	version     = 2
	noFreelist  = 1<<64 - 1
	minPageSize = 1024
	maxPageSize = minPageSize << 14
)

var order = binary.NativeEndian

// meta is the content of a meta page.
type meta struct {
	pageSize uint32
	root     uint64
	freelist uint64
	pages    uint64 // pages in use have lower ids
	txid     uint64
}

// readMeta returns the current meta page, the newer one of those that are valid.
func readMeta(f *os.File) (meta, error) {
	first, ok1 := readMetaAt(f, 0)
	if ok1 {
		if second, ok := readMetaAt(f, int64(first.pageSize)); ok && second.txid > first.txid {
			return second, nil
		}
		return first, nil
	}
	for size := int64(minPageSize); size <= maxPageSize; size *= 2 {
		if m, ok := readMetaAt(f, size); ok && int64(m.pageSize) == size {
			return m, nil
		}
	}
	return meta{}, damagef("no valid meta page")
}

func readMetaAt(f *os.File, at int64) (meta, bool) {
	b := make([]byte, metaSize)
	if _, err := f.ReadAt(b, at+headerSize); err != nil {
		return meta{}, false
	}
	sum := fnv.New64a()
	sum.Write(b[:56])
	m := meta{pageSize: order.Uint32(b[8:]), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]), pages: order.Uint64(b[40:]), txid: order.Uint64(b[48:])}
	ok := order.Uint32(b) == magic && order.Uint32(b[4:]) == version && order.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= minPageSize && m.pageSize <= maxPageSize && m.pageSize&(m.pageSize-1) == 0
	return m, ok
}

// pageWalk visits every page in use.
type pageWalk struct {
	file *os.File
	meta meta
	seen map[uint64]bool
}

// page is a page with its overflow pages.
type page struct {
	id    uint64
	flags uint16
	count int
	data  []byte // including the header
}

func (w *pageWalk) readPage(id uint64) (page, error) {
	head := make([]byte, headerSize)
	if id < 2 || id >= w.meta.pages {
		return page{}, damagef("page %d is none of %d", id, w.meta.pages)
	}
	at := int64(id) * int64(w.meta.pageSize)
	if _, err := w.file.ReadAt(head, at); err != nil {
		return page{}, damagef("page %d: %v", id, err)
	}
	p := page{id: id, flags: order.Uint16(head[8:]), count: int(order.Uint16(head[10:]))}
	overflow := uint64(order.Uint32(head[12:]))
	if self := order.Uint64(head); self != id || id+overflow >= w.meta.pages {
		return page{}, damagef("page %d says that it is page %d and %d more, of %d", id, self, overflow, w.meta.pages)
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i] {
			return page{}, damagef("page %d is in use twice", i)
		}
		w.seen[i] = true
	}
	p.data = make([]byte, int64(overflow+1)*int64(w.meta.pageSize))
	if _, err := w.file.ReadAt(p.data, at); err != nil {
		return page{}, damagef("page %d: %v", id, err)
	}
	return p, nil
}

// element returns the bytes from the i-th element on.
func (p page) element(i int) []byte { return p.data[headerSize+i*elementSize:] }

// slice returns n bytes at an element's pos. They must follow all elements.
func (p page) slice(i int, pos uint32, n uint64) ([]byte, error) {
	from := uint64(headerSize+i*elementSize) + uint64(pos)
	if from < uint64(headerSize+p.count*elementSize) || from+n > uint64(len(p.data)) {
		return nil, damagef("page %d: element %d lies outside", p.id, i)
	}
	return p.data[from : from+n], nil
}

// checkCount checks that the page has room for its elements.
func (p page) checkCount() error {
	if headerSize+p.count*elementSize > len(p.data) {
		return damagef("page %d: %d elements don't fit", p.id, p.count)
	}
	return nil
}

// checkTree checks a page and all pages below it. Its keys must be at least low and less
// than high. nil means no bound.
func (w *pageWalk) checkTree(id uint64, low, high []byte) error {
	p, err := w.readPage(id)
	if err != nil {
		return err
	}
	if err := p.checkCount(); err != nil {
		return err
	}
	switch p.flags {
	case branchPage:
		return w.checkBranch(p, low, high)
	case leafPage:
		return w.checkLeaf(p, low, high)
	default:
		return damagef("page %d is of no kind that belongs here: %#x", id, p.flags)
	}
}

func (w *pageWalk) checkBranch(p page, low, high []byte) error {
	if p.count == 0 {
		return damagef("page %d: a branch without leaves", p.id)
	}
	keys := make([][]byte, p.count)
	for i := range p.count {
		e := p.element(i)
		var err error
		if keys[i], err = p.slice(i, order.Uint32(e), uint64(order.Uint32(e[4:]))); err != nil {
			return err
		}
	}
	if err := p.checkOrder(keys, low, high); err != nil {
		return err
	}
	for i := range p.count {
		upper := high
		if i+1 < p.count {
			upper = keys[i+1]
		}
		if err := w.checkTree(order.Uint64(p.element(i)[8:]), keys[i], upper); err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWalk) checkLeaf(p page, low, high []byte) error {
	keys := make([][]byte, p.count)
	for i := range p.count {
		e := p.element(i)
		ksize := uint64(order.Uint32(e[8:]))
		both, err := p.slice(i, order.Uint32(e[4:]), ksize+uint64(order.Uint32(e[12:])))
		if err != nil {
			return err
		}
		keys[i] = both[:ksize]
		switch flags := order.Uint32(e); flags {
		case 0:
		case bucketLeaf:
			if err := w.checkBucket(p.id, both[ksize:]); err != nil {
				return err
			}
		default:
			return damagef("page %d: element %d has unknown flags %#x", p.id, i, flags)
		}
	}
	return p.checkOrder(keys, low, high)
}

func (w *pageWalk) checkBucket(id uint64, value []byte) error {
	if len(value) < bucketSize {
		return damagef("page %d: a bucket of %d bytes", id, len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return w.checkTree(root, nil, nil)
	}
	in := page{id: id, data: value[bucketSize:]}
	if len(in.data) < headerSize {
		return damagef("page %d: a bucket's page of %d bytes", id, len(in.data))
	}
	in.flags, in.count = order.Uint16(in.data[8:]), int(order.Uint16(in.data[10:]))
	if in.flags != leafPage {
		return damagef("page %d: a bucket's page is of kind %#x", id, in.flags)
	}
	if err := in.checkCount(); err != nil {
		return err
	}
	return w.checkLeaf(in, nil, nil)
}

// checkOrder checks that keys ascend and are within the bounds.
func (p page) checkOrder(keys [][]byte, low, high []byte) error {
	for i, k := range keys {
		if i > 0 && bytes.Compare(keys[i-1], k) >= 0 || bytes.Compare(low, k) > 0 || high != nil && bytes.Compare(k, high) >= 0 {
			return damagef("page %d: element %d is out of order", p.id, i)
		}
	}
	return nil
}

// checkFreelist checks the list of free pages. This journal does not write one.
func (w *pageWalk) checkFreelist() error {
	p, err := w.readPage(w.meta.freelist)
	if err != nil {
		return err
	}
	n, at := uint64(p.count), headerSize
	if n == 0xFFFF && len(p.data) >= headerSize+8 { // the count field is too small for the number
		n, at = order.Uint64(p.data[headerSize:]), headerSize+8
	}
	if p.flags != freelistPage || n > uint64(len(p.data)-at)/8 {
		return damagef("page %d is no list of %d free pages", p.id, n)
	}
	for i := range n {
		if id := order.Uint64(p.data[at+int(i)*8:]); id < 2 || id >= w.meta.pages {
			return damagef("page %d: free page %d is none of %d", p.id, id, w.meta.pages)
		}
	}
	return nil
}
