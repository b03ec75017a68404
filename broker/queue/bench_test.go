package queue

import (
	"fmt"
	"sync"
	"testing"

	"vaguemestre/broker/journal"
)

// BenchmarkDeliver is the way of one item from its event to its settlement, for
// as many destinations as the name says, one item of each in flight.
func BenchmarkDeliver(b *testing.B) {
	for _, dests := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(dests), func(b *testing.B) {
			j, q := start(b, Options{})
			var all sync.WaitGroup
			all.Add(b.N)
			c := subscribe(b, q, "plis")
			go func() {
				for m := range c {
					go func() {
						m.Ack()
						all.Done()
					}()
				}
			}()
			b.ResetTimer()
			for from := 0; from < b.N; from += 64 {
				var items []journal.Item
				for i := from; i < min(from+64, b.N); i++ {
					items = append(items, item("plis", fmt.Sprint("d", i%dests), "l", "x"))
				}
				enqueue(b, j, items...)
			}
			all.Wait()
		})
	}
}
