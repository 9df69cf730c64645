#!/bin/sh
# tools/try-in-chroot.sh SUITE [COMMAND]: the set-up from nothing, in a minimal Debian of its own.
#
# Makes a chroot of SUITE (bookworm, trixie) with debootstrap, or takes the one of the last try, puts a clean clone of this
# repository's HEAD into it and runs COMMAND there (`make build` if none is named). Of the host it has the kernel with /proc, /sys and the
# BPF file system, the package mirror, name servers and certificate authorities, and nothing else. Needs root and debootstrap, on Debian.
# CHROOT names the folder; FRESH=1 makes it anew.
set -eu
cd "$(dirname "$0")/.."
die() { echo "try-in-chroot: $*" >&2; exit 1; }

suite=${1:?usage: tools/try-in-chroot.sh SUITE [COMMAND]}
command=${2:-make build}
chroot=${CHROOT:-/tmp/chroot-$suite}
sources=/etc/apt/sources.list.d/debian.sources
[ "$(id -u)" = 0 ] || die "needs root, for chroot and mounts"
command -v debootstrap >/dev/null || die "needs debootstrap: apt-get install debootstrap"
[ -r $sources ] || die "needs a Debian host: the mirror is read from $sources"
here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

inside() { # inside COMMAND: runs it in the chroot; what is mounted for it is gone afterwards
    # shellcheck disable=SC2016 # expanded inside the namespace
    unshare --mount --propagation private sh -c '
        mount --bind "$0" "$0" && mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" &&
        exec chroot "$0" /usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
            bash -c "$1"
    ' "$chroot" "$1"
}

[ "${FRESH:-}" != 1 ] || rm -rf "$chroot"
if [ ! -e "$chroot/.made" ]; then
    echo "try-in-chroot: makes $chroot"
    rm -rf "$chroot"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$chroot" "$(sed -n 's/^URIs: *//p' $sources | head -n 1)" >/dev/null
    rm -f "$chroot/etc/apt/sources.list"
    sed "s/$here/$suite/g" $sources >"$chroot$sources"
    cp /usr/local/share/ca-certificates/*.crt "$chroot/usr/local/share/ca-certificates/" 2>/dev/null || true
    cp /etc/resolv.conf /etc/hosts "$chroot/etc/"
    # git and make: what a person has before `git clone` and `make run`.
    inside 'update-ca-certificates && apt-get -q update &&
        DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install git make' >"$chroot/.log" 2>&1 ||
        { tail -n 20 "$chroot/.log" >&2; die "cannot prepare $chroot"; }
    touch "$chroot/.made"
fi
rm -rf "$chroot/pyrope"
git clone -q . "$chroot/pyrope"
echo "try-in-chroot: $suite, $(git log -1 --format=%h): $command"

inside "cd /pyrope && $command"
