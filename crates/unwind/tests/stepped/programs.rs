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

/// Functions of the C library that it calls for the first time.
const LAZY: &str = r#"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile long sink;

int main(void)
{
	kill(getpid(), SIGTRAP);
	sink = labs(sink) + atoi("5") + (strdup("text") != 0) + getppid() + (getenv("HOME") != 0) + rand();
	return 0;
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

#[test]
fn functions_that_are_called_for_the_first_time() {
    let folder = Folder::new();
    let arguments = ["-O0", "-fno-builtin", "-Wl,-z,lazy"];
    let program = folder.c("gcc", &arguments, &[("main.c", LAZY)], "lazy");
    let settings = Settings {
        arguments: &[],
        from_trap: true,
        most: 200_000,
        only: Some("ld-linux-x86-64.so.2"),
        stacks_move: false,
        walk: 1,
        may_be_unknown: false,
    };
    let seen = run(&program, &settings);
    let walks: u64 = seen.ends.values().sum();
    assert!(walks > 2000, "{seen:?}");
    // The register that leads on is on the stack from the second instruction of what is called.
    let whole = seen.ends.get("outermost").copied().unwrap_or(0);
    assert!(whole * 100 >= walks * 99, "{:#?}", seen.ends);
}
