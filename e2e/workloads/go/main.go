// One stack with each kind of Go name: a function, a generic function, a closure and a method on a pointer:
// main.main → main.work → main.apply[…] → main.work.func1 → main.(*Tank).leaf.
package main

import (
	"flag"
	"fmt"
	"time"
)

// Tank has the method that burns.
type Tank struct {
	level uint64
}

// The local array gives leaf a frame; a Go function without one does not save the frame pointer, and its caller is lost to a walk
// by frame pointers.
//
//go:noinline
func (t *Tank) leaf(seed uint64) uint64 {
	var frame [8]uint64
	for i := 0; i < 1000000; i++ {
		seed = seed*6364136223846793005 + 1442695040888963407
	}
	frame[seed%8] = seed
	t.level = frame[seed%7]
	return seed
}

//go:noinline
func apply[T any](step func(T) T, value T) T {
	return step(value)
}

//go:noinline
func work(t *Tank, seed uint64) uint64 {
	return apply(func(value uint64) uint64 {
		return t.leaf(value) + 1
	}, seed) + 1
}

func main() {
	seconds := flag.Uint("seconds", 30, "how long to run")
	flag.Parse()
	end := time.Now().Add(time.Duration(*seconds) * time.Second)
	tank := &Tank{}

	fmt.Println("ready")
	for time.Now().Before(end) {
		tank.level = work(tank, tank.level)
	}
}
