// main.main → main.turn → main.heavy → main._Cfunc_c_heavy → runtime.cgocall → … → c_heavy → leaf, on the stack of the thread; main.turn →
// main.light → main.leaf and main.turn → main.leaf, on that of the goroutine. Of each 100 rounds 60 come by heavy, 30 by light
// and 10 from turn.
package main

/*
#include <stdint.h>

__attribute__((noinline, noclone)) static uint64_t leaf(uint64_t seed, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		__asm__ volatile("" : "+r"(seed));
	}
	return seed;
}

__attribute__((noinline, noclone)) static uint64_t c_heavy(uint64_t seed)
{
	return leaf(seed, 6000000) + 1;
}
*/
import "C"

import (
	"flag"
	"fmt"
	"time"
)

//go:noinline
func leaf(seed uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		seed = seed*6364136223846793005 + 1442695040888963407
	}
	return seed
}

//go:noinline
func heavy(seed uint64) uint64 { return uint64(C.c_heavy(C.uint64_t(seed))) + 1 }

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
