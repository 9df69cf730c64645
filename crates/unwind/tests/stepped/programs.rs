//! The programs.

use crate::built::Folder;
use crate::check::{Seen, Settings, run};

const GO: &str = r#"package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"
)

//go:noinline
func deep(n int) int {
	var pad [16]int
	pad[n&15] = n
	if n == 0 {
		return strings.Index(strings.Repeat("ab", 300)+"c", "bc") + int(time.Now().UnixNano()&1)
	}
	return deep(n-1) + pad[n&15]
}

func main() {
	runtime.LockOSThread()
	syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGTRAP)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGUSR1)
	c := make(chan int)
	go func() { c <- deep(5) }()
	<-c
	list := []string{"x", "b", "zz", "k"}
	sort.Strings(list)
	fmt.Fprintln(os.Stdout, list, deep(50))
}
"#;

const CGO: &str = r#"package main

/*
#include <stdlib.h>
#include <signal.h>
#include <string.h>
extern int back(int);
static int there(int n) { char text[64]; memset(text, n, sizeof text); return text[n & 31] + (n > 0 ? back(n - 1) : abs(n)); }
*/
import "C"

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

//export back
func back(n C.int) C.int {
	if n <= 0 {
		time.Now()
		return n
	}
	return C.there(n-1) + 1
}

func init() { runtime.LockOSThread() }

func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGTRAP)
	for i := 0; i < 3; i++ {
		if C.there(6) == 100 {
			os.Exit(1)
		}
		syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGUSR1)
	}
}
"#;

#[track_caller]
pub(crate) fn fine(seen: &Seen) {
    let wrong: u64 = seen.wrong.values().sum();
    let Seen { steps, right, unknown, without, unusual, ends, code, .. } = seen;
    let few: Vec<_> = seen.wrong.iter().take(60).collect();
    assert!(
        few.is_empty() && unknown * 100 < *steps,
        "{steps} steps, {right} right, {unknown} unknown, {wrong} wrong, {unusual:?}, {ends:?}, status {code}: {few:#?}, without a rule {without:?}"
    );
}

#[track_caller]
fn go(source: &str, arguments: &[&str], environment: &[(&str, &str)]) {
    let folder = Folder::new();
    let program = folder.go(source, arguments, environment, "go-program");
    let settings = Settings {
        arguments: &[],
        from_trap: true,
        most: 400_000,
        only: Some("go-program"),
        stacks_move: true,
        walk: 97,
        may_be_unknown: false,
    };
    let seen = run(&program, &settings);
    assert!(seen.unusual.contains_key("OtherStack"), "{:?}", seen.unusual);
    fine(&seen);
}

#[test]
fn go_alone() {
    go(GO, &[], &[("CGO_ENABLED", "0")]);
}

#[test]
fn go_stripped() {
    go(GO, &["-ldflags=-s -w"], &[("CGO_ENABLED", "0")]);
}

#[test]
fn go_position_independent() {
    go(GO, &["-buildmode=pie"], &[("CGO_ENABLED", "0")]);
}

#[test]
fn go_and_c() {
    go(CGO, &[], &[]);
}

#[test]
fn go_and_c_stripped_and_position_independent() {
    go(CGO, &["-buildmode=pie", "-ldflags=-s -w"], &[]);
}
