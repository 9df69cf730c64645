// main.main → main.turn → main.heavy → main.deep → main.leaf; main.turn → main.light → main.leaf; main.turn → main.leaf. Of each 100
// rounds in leaf 60 come by heavy, 30 by light and 10 from turn.
package main

import (
	"flag"
	"fmt"
	"time"
)

// Needs no frame, so its frame pointer is its caller's.
//
//go:noinline
func leaf(seed uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		seed = seed*6364136223846793005 + 1442695040888963407
	}
	return seed
}

// The array makes a large frame.
//
//go:noinline
func deep(seed uint64) uint64 {
	var many [300]uint64
	many[seed%300] = seed
	return leaf(many[seed%299], 6000000) + many[seed%298]
}

//go:noinline
func heavy(seed uint64) uint64 { return deep(seed) + 1 }

//go:noinline
func light(seed uint64) uint64 { return leaf(seed, 3000000) + 1 }

//go:noinline
func turn(seed uint64) uint64 {
	seed = heavy(seed) + 1
	seed = light(seed) + 1
	return leaf(seed, 1000000) + 1
}

func main() {
	seconds := flag.Uint("seconds", 30, "how long to run")
	flag.Parse()
	end := time.Now().Add(time.Duration(*seconds) * time.Second)
	seed := uint64(0)

	fmt.Println("ready")
	for time.Now().Before(end) {
		seed = turn(seed)
	}
}
