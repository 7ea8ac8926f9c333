package journal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var quiet = slog.New(slog.DiscardHandler)

// writeJournal creates a journal of several levels, with values longer than a page and with
// free pages. It returns its file's content and its values.
func writeJournal(t *testing.T) (content []byte, values map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := Open(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]string{}
	for i := range 150 {
		k := fmt.Sprintf("arn:aws:ecs:us-east-1:000000000000:task/default/%032d", i)
		values[k] = strings.Repeat(fmt.Sprint(i), 1+i*i%1500)
		j.Put(Tasks, k, []byte(values[k]))
		j.Put(Tombstones, k, []byte("2026-01-01T00:00:00Z"))
		if i%3 == 0 {
			delete(values, k)
			j.Delete(Tasks, k)
		}
		if i%50 == 0 {
			if err := j.Put(Meta, "sequence", fmt.Append(nil, i)).Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	content, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content, values
}

// openContent writes content as a journal and opens it. It checks that a journal that was put
// aside exists under another name and is in the log.
func openContent(t *testing.T, content []byte) (fresh bool, values map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	j, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]string{}
	if err := j.Each(Tasks, func(k string, v []byte) error { values[k] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	fresh = j.IsNew()
	if err := j.Put(Tasks, "next", []byte("written")).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	aside, err := filepath.Glob(path + ".damaged-*")
	if err != nil {
		t.Fatal(err)
	}
	if want := fresh && len(content) > 0; want != (len(aside) == 1) || fresh != (log.Len() > 0) {
		t.Fatalf("fresh %v, aside %v, log %q", fresh, aside, log.String())
	}
	if len(aside) == 1 {
		kept, err := os.ReadFile(aside[0])
		if err != nil || !bytes.Equal(kept, content) {
			t.Fatalf("what was put aside is not what was found: %v", err)
		}
	}
	if j, err = Open(path, quiet); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if v, err := j.Get(Tasks, "next"); string(v) != "written" || err != nil || j.IsNew() {
		t.Fatalf("after another opening: %q, %v", v, err)
	}
	return fresh, values
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// A file that is cut short at any place is either read completely or put aside. It is
// never read in part, and never ends the process.
func TestAJournalCutShort(t *testing.T) {
	content, values := writeJournal(t)
	page := os.Getpagesize()
	cuts := []int{0, 1, page - 1, len(content) - 1}
	for at := page; at <= len(content); at = at*5/4/page*page + page {
		cuts = append(cuts, at, at+page/2)
	}
	whole := 0
	for _, at := range cuts {
		if at > len(content) {
			continue
		}
		fresh, got := openContent(t, content[:at])
		switch {
		case fresh && len(got) > 0:
			t.Errorf("cut at %d: %d values of a journal that was put aside", at, len(got))
		case !fresh && !same(got, values):
			t.Errorf("cut at %d: %d values of %d", at, len(got), len(values))
		case !fresh:
			whole++
		}
	}
	if fresh, got := openContent(t, content); fresh || !same(got, values) {
		t.Errorf("not cut: fresh %v, %d values", fresh, len(got))
	}
	t.Logf("%d cuts, %d of them behind the last page in use", len(cuts), whole)
}

// A page that a power cut has torn, or that the disk has lost or mixed up, is found if the
// journal's structure depends on it. It never ends the process. Damage inside a value
// can't be found here.
func TestAJournalWithATornPage(t *testing.T) {
	content, values := writeJournal(t)
	page := os.Getpagesize()
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	tears := map[string]func(p, other []byte){
		"zeroed":            func(p, _ []byte) { clear(p) },
		"first half zeroed": func(p, _ []byte) { clear(p[:len(p)/2]) },
		"second half old":   func(p, _ []byte) { clear(p[len(p)/2:]) },
		"another page":      func(p, other []byte) { copy(p, other) },
		"noise": func(p, _ []byte) {
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
		},
		"noise behind the header": func(p, _ []byte) {
			for i := 16; i < len(p); i++ {
				p[i] = byte(rng.Uint32())
			}
		},
		"some bits": func(p, _ []byte) {
			for range 8 {
				p[rng.IntN(len(p)/8)] ^= 1 << rng.IntN(8)
			}
		},
	}
	names := slices.Sorted(maps.Keys(tears))
	aside, intact := 0, 0
	for at := 0; at+page <= len(content); at += page {
		torn := bytes.Clone(content)
		other := rng.IntN(len(content)/page) * page
		name := names[rng.IntN(len(names))]
		tears[name](torn[at:at+page], content[other:other+page])
		fresh, got := openContent(t, torn)
		switch {
		case fresh && len(got) > 0:
			t.Errorf("page %d, %s: %d values of a journal that was put aside", at/page, name, len(got))
		case fresh:
			aside++
		case same(got, values): // a free page
			intact++
		}
	}
	t.Logf("%d pages torn, %d times put aside, %d times intact", len(content)/page, aside, intact)
	if aside == 0 {
		t.Error("nothing was found")
	}
}

// If there is no damage, nothing is put aside: a journal that is locked, or that the
// system does not allow to open.
func TestASoundJournalIsNotPutAside(t *testing.T) {
	content, values := writeJournal(t)
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, quiet); !errors.Is(err, ErrLocked) {
		t.Errorf("held by another: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(t.TempDir(), "journal.db")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if j, err := Open(loop, quiet); err == nil {
		j.Close()
		t.Error("opened what leads nowhere")
	}
	if _, err := os.Lstat(loop); err != nil {
		t.Errorf("what the system refused is gone: %v", err)
	}
	j, err = Open(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if st := j.db.Stats(); st.TxStats.GetWrite() != 0 { // on a full disk it could not be opened
		t.Errorf("%d writes to open a complete journal", st.TxStats.GetWrite())
	}
	n := 0
	if err := j.Each(Tasks, func(k string, v []byte) error {
		n++
		if values[k] != string(v) {
			t.Errorf("%s is another", k)
		}
		return nil
	}); err != nil || n != len(values) || j.IsNew() {
		t.Errorf("%d values, %v", n, err)
	}
}

// Repeated damage does not fill the disk.
func TestFewDamagedFilesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	for i := range maxDamaged + 3 {
		if err := os.WriteFile(path, fmt.Appendf(nil, "no journal %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(path, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	aside, err := filepath.Glob(path + ".damaged-*")
	if err != nil || len(aside) != maxDamaged {
		t.Fatalf("%v, %v", aside, err)
	}
	if last, err := os.ReadFile(aside[len(aside)-1]); err != nil || string(last) != fmt.Sprintf("no journal %d", maxDamaged+2) {
		t.Errorf("the newest is %q, %v", last, err)
	}
}
