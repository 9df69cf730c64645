#!/bin/sh
# tools/setup.sh run|test|vm|bench: installs what is missing to build and run pyrope, to test it, to try it on other kernels, or to
# measure it.
#
# On Debian 12 or later and Ubuntu it asks apt, through sudo when not root, and says each package and what it is for. A newer Go
# comes as a Go module, a newer Node.js as an npm package; both are found under target/tools/bin, which the Makefile puts
# on PATH. Where nothing is missing nothing is asked and nothing changes. `--list` says what is missing and installs nothing.
set -eu
cd "$(dirname "$0")/.."

TOOLS=$PWD/target/tools
PATH=$TOOLS/bin:$PATH:${HOME:-/root}/.cargo/bin:/usr/local/go/bin:/usr/sbin:/sbin

RUST=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
GO=$(sed -n 's/^go \([0-9.]*\)$/\1/p' e2e/peer/go.mod)
GO_MODULE=1.25.12 # what is fetched where apt has no Go this new: the last patch of the series that e2e/peer/go.mod asks for
NODE=20           # playwright-core runs on no older one
NODE_PACKAGE=22   # what is fetched where apt has no Node.js this new
OLDEST_CLANG=14   # that compiles bpf/
NEWEST_CLANG=23   # as in crates/bpf/build.rs

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
at_least() { printf '%s\n' "$2" "$1" | sort -V -C; } # at_least 1.96.0 1.91

# ---- what is there ----

has_file() { # a file of the C library's kind: header or archive, wherever the compiler finds it
    case $1 in
    *.h) [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] ;;
    *) have cc && [ "$(cc -print-file-name="$1")" != "$1" ] ;;
    esac
}
libelf_wants_zstd() { has_file libelf.a && grep -q ZSTD_ "$(cc -print-file-name=libelf.a)"; }
has_clang() { # the one that the variable CLANG names, as crates/bpf/build.rs does, else any new enough
    have "${CLANG:-clang-19}" && return
    version=$NEWEST_CLANG
    while [ "$version" -ge "$OLDEST_CLANG" ]; do have "clang-$version" && return; version=$((version - 1)); done
    have clang && at_least "$(clang -dumpversion)" "$OLDEST_CLANG"
}
has_llvm_dwp() { # of any version that clang may have
    have llvm-dwp-19 && return
    for version in $(seq "$NEWEST_CLANG" -1 "$OLDEST_CLANG"); do ! have "llvm-dwp-$version" || return 0; done
    return 1
}
has_rust() {
    have rustc && have cargo || return
    rustc=$(rustc --version) && rustc=${rustc#rustc } && at_least "${rustc%% *}" "$RUST"
}
has_go() { have go && go=$(cd / && GOTOOLCHAIN=local go version) && go=${go#go version go} && at_least "${go%% *}" "$GO"; }
has_node() { have node && node=$(node --version) && at_least "${node#v}" "$NODE"; }
has_chromium() { [ -x "${CHROMIUM:-/usr/bin/chromium}" ]; }

# ---- what is missing: a line `package reason` each; names that differ between releases are in capitals ----

missing() {
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo "ca-certificates TLS to the package registries"
    have cc || echo "gcc compiles SQLite, zstd and libbpf"
    has_file stdio.h || echo "libc6-dev compiles SQLite, zstd and libbpf"
    have make || echo "make compiles libbpf"
    have pkg-config || echo "pkg-config compiles libbpf"
    has_clang || echo "A_CLANG compiles the BPF programs"
    has_file libelf.a && has_file libelf.h || echo "libelf-dev is linked into pyrope for libbpf"
    has_file libz.a && has_file zlib.h || echo "zlib1g-dev is linked into pyrope for libelf"
    ! libelf_wants_zstd || has_file libzstd.a || echo "libzstd-dev is linked into pyrope for this release's libelf"
    has_rust || echo "RUST compiles pyrope (Rust $RUST or later)"
    [ "$1" != run ] || return 0
    have cargo-fmt && have cargo-clippy || echo "RUST_TESTS formats and lints the Rust code"
    have git || echo "git tells tidy which files are the repository's"
    have c++ || echo "g++ compiles the C++ workload"
    has_llvm_dwp || echo "AN_LLVM packs split debug information"
    have bpftool || echo "bpftool says which programs the kernel holds and how long they ran"
    have musl-gcc || echo "musl-tools builds a static workload"
    have xz || echo "xz-utils compresses the names of a workload"
    have valgrind || echo "valgrind counts the instructions of a walk"
    has_file libasan.so || echo "gcc looks for undefined behaviour in the C of bpf/"
    have dwz || echo "dwz takes out of debug files what they have in common"
    have objcopy || echo "binutils takes the tests' programs apart"
    have go || echo "golang-go builds the Go peer and the Go workload"
    have node || echo "nodejs runs the page's tests"
    have npm || echo "npm fetches playwright-core for the page's tests"
    has_chromium || echo "chromium shows the page in tests"
    [ -d /usr/share/fonts/truetype ] || [ -d /usr/share/fonts/opentype ] || echo "fonts-dejavu-core is the page's type in tests"
    have qemu-system-x86_64 || echo "qemu-system-x86 runs other kernels"
    have busybox || echo "busybox-static is the shell beside pyrope on them"
    have dpkg-deb || echo "dpkg takes their packages apart"
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo "debian-archive-keyring says that their packages are Debian's"
    [ "$1" = bench ] || return 0
    have perf || echo "linux-perf is what pyrope is measured against"
    has_file bpf/libbpf.h || echo "libbpf-dev builds the floor that pyrope is measured against"
    [ -n "$(find /usr/lib/postgresql -name pgbench 2>/dev/null)" ] || echo "postgresql is half of a load"
    have setpriv || echo "util-linux runs the database as its user"
    while read -r program package; do
        have "$program" || echo "$package is a program whose stacks are looked at, or keeps one busy"
    done <<PROGRAMS
redis-server redis-server
redis-benchmark redis-tools
nginx nginx
wrk wrk
/usr/bin/python3 python3
sqlite3 sqlite3
openssl openssl
x264 x264
PROGRAMS
    [ -d /usr/lib/debug/.build-id ] || echo "libc6-dbg names the functions of the C library"
}

# ---- how it is had ----

candidate() { # the version that apt would install, or nothing
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)/\1/p'
}
numbered() { # numbered clang: the package of the best version that apt has
    for version in 19 $(seq "$NEWEST_CLANG" -1 "$OLDEST_CLANG"); do
        [ -z "$(candidate "$1-$version")" ] || { echo "$1-$version"; return; }
    done
    die "apt has no $1 from $OLDEST_CLANG to $NEWEST_CLANG: install one, and name a clang in the variable CLANG."
}
rust_series() { # "" for rustc, "-web" for rustc-web (Debian 12 and 13), "-1.91" for rustc-1.91 (Ubuntu)
    for series in "" -web $(apt-cache pkgnames rustc-1. | sed 's/^rustc//' | sort -Vr); do
        version=$(candidate "rustc$series")
        if [ -n "$version" ] && at_least "$version" "$RUST"; then echo "$series"; return; fi
    done
    return 1
}
rust_packages() { # rust_packages RUST|RUST_TESTS
    if have rustup; then
        die "rustup's $(rustc --version 2>/dev/null || echo toolchain) is not what is needed (Rust $RUST or later, rustfmt and clippy): run 'rustup update stable' and 'rustup component add rustfmt clippy'."
    fi
    series=$(rust_series) || die "apt has no Rust $RUST or later: install one, for example with rustup, and try again."
    case $1,$series in
    RUST,*) echo "rustc$series cargo$series" ;;
    *,-web) echo "rustfmt-web rust-web-clippy" ;;
    *,-*) echo "rustfmt$series rust$series-clippy" ;;
    *) echo "rustfmt rust-clippy" ;;
    esac
}
package() {
    case $1 in
    A_CLANG) numbered clang ;;
    AN_LLVM) numbered llvm ;;
    RUST | RUST_TESTS) rust_packages "$1" ;;
    bpftool) if [ -n "$(candidate bpftool)" ]; then echo bpftool; else echo linux-tools-common; fi ;; # Ubuntu
    *) echo "$1" ;;
    esac
}

root=
[ "$(id -u)" = 0 ] || root=sudo

install_packages() { # the lines of missing()
    have apt-get || die "this system has no apt. Install what is listed above by its own means, or use Debian 12 or later."
    [ -z "$root" ] || have sudo || die "packages are missing and there is no sudo here: run this as root, or install what is listed above."
    say "asks apt for its lists"
    $root apt-get -q update >/dev/null || say "apt could not read all of its lists; goes on with what it has"
    names=
    while read -r name reason; do
        real=$(package "$name")
        say "installs $real: $reason"
        names="$names $real"
    done <<LINES
$1
LINES
    # shellcheck disable=SC2086 # a list of words
    $root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $names >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; die "apt could not install these packages; its last words stand above."; }
}

link() { # link TOOL...: puts programs into target/tools/bin
    mkdir -p "$TOOLS/bin"
    ln -sf "$@" "$TOOLS/bin/"
    hash -r # a shell remembers where it found a program before
}
newer_go() {
    module=golang.org/toolchain@v0.0.1-go$GO_MODULE.linux-$(go env GOARCH)
    say "fetches the Go module $module: the Go peer needs Go $GO or later"
    mkdir -p "$TOOLS/go-module"
    echo "module setup" >"$TOOLS/go-module/go.mod"
    (cd "$TOOLS/go-module" && GOTOOLCHAIN=local GOFLAGS=-mod=mod go mod download "$module") || die "cannot fetch $module: install Go $GO or later and try again."
    folder=$(go env GOMODCACHE)/$module
    chmod u+x "$folder"/bin/* "$folder"/pkg/tool/*/* # a module's files are not executable
    link "$folder"/bin/*
}
newer_node() {
    case $(uname -m) in aarch64) cpu=arm64 ;; *) cpu=x64 ;; esac
    say "fetches the npm package node-linux-$cpu@$NODE_PACKAGE: the page's tests need Node.js $NODE or later"
    npm install --silent --no-audit --no-fund --prefix "$TOOLS/node" "node-linux-$cpu@$NODE_PACKAGE" ||
        die "cannot fetch node-linux-$cpu@$NODE_PACKAGE: install Node.js $NODE or later and try again."
    link "$TOOLS/node/node_modules/node-linux-$cpu/bin/node"
}

# ---- the whole ----

what=${1:-}
case $what in run | test | vm | bench) ;; *) die "usage: tools/setup.sh run|test|vm|bench [--list]" ;; esac
[ "$(uname -s)" = Linux ] || die "pyrope runs on Linux only."

if [ "${2:-}" = --list ]; then
    missing "$what"
    exit
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for round in 1 2 3; do # what one package brings can ask for another
    lines=$(missing "$what")
    [ -n "$lines" ] || break
    [ "$round" != 3 ] || die "still missing after apt installed it: $lines"
    install_packages "$lines"
    # Ubuntu's numbered Rust has numbered names only.
    has_rust || { series=$(rust_series) && [ -d "/usr/lib/rust$series/bin" ] && link "/usr/lib/rust$series/bin"/*; } || true
done
[ "$what" != run ] || exit 0
has_go || newer_go
has_go || die "Go $GO or later is still missing; $(go version) was found at $(command -v go)."
has_node || newer_node
has_node || die "Node.js $NODE or later is still missing; $(node --version) was found at $(command -v node)."
