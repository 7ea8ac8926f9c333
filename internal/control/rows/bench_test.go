package rows

import (
	"fmt"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// BenchmarkChange is what a change of one task costs among 10,000 tasks of 1,000
// services, from the store's step to the line: with one reader, and with a reader for
// each service. The floor is what the reader of the task can't do without: the row's
// value before and after.
func BenchmarkChange(b *testing.B) {
	const services, each = 1000, 10
	st := open(b, 1)[0]
	for from := 0; from < services*each; from += 50 {
		put(b, st, func(tx *store.Tx) error {
			for i := from; i < from+50; i++ {
				if err := newTask(tx, "c", id(i), fmt.Sprintf("s%d", i/each), "a"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	was := st.Snapshot()
	put(b, st, func(tx *store.Tx) error { return report(tx, "c", id(5), fleet.TaskRunning) })
	is := st.Snapshot()
	forth := store.Advance{Prev: was, Next: is, Changes: []store.Change{{Kind: store.TaskChanged, Names: store.Names{"c", id(5)}}}}
	back := store.Advance{Prev: is, Next: was, Changes: forth.Changes}
	v := tasks()

	b.Run("floor", func(b *testing.B) {
		s := &stream{reader: &reader{watchers: watchers(st, v)}}
		one := row{v, "c/" + id(5)}
		b.ReportAllocs()
		for b.Loop() {
			if !s.encodeRow(was, one, &s.oldValue) || !s.encodeRow(is, one, &s.newValue) {
				b.Fatal("it can't be described")
			}
		}
	})
	for _, readers := range []int{1, services} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			w := watchers(st, v)
			lines := 0
			var streams []*stream
			for i := range readers {
				sel, err := w.findSelections([]Select{of("c", fmt.Sprintf("s%d", i))})
				if err != nil {
					b.Fatal(err)
				}
				r, err := w.join(fmt.Sprint(i), sel, allowed(b, everything))
				if err != nil {
					b.Fatal(err)
				}
				s := &stream{reader: r}
				s.out.send = func([]byte) error { lines++; return nil }
				streams = append(streams, s)
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				a := &forth
				if n%2 == 1 {
					a = &back
				}
				n++
				w.advance(w.run, a)
				if err := streams[0].sendChanges(streams[0].popBatch()); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if lines != n {
				b.Errorf("%d lines of %d changes", lines, n)
			}
			for _, s := range streams {
				w.leave(s.reader)
			}
		})
	}
}
