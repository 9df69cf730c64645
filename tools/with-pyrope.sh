#!/bin/sh
# tools/with-pyrope.sh COMMAND...: runs COMMAND beside a pyrope of its own that profiles this host.
#
# The pyrope is $PYROPE_BIN with an empty store and the built-in configuration, as root; a workload with a known stack keeps it
# busy. COMMAND finds PYROPE_URL, PYROPE_SERVICE (the workload's service) and PYROPE_EXPECT (its hot function) in its environment. All
# that was started ends with COMMAND, and its status is COMMAND's.
set -eu
pyrope=${PYROPE_BIN:-target/release/pyrope}
workload=${PYROPE_WORKLOADS:-target/workloads}/c-recurse
root=
[ "$(id -u)" = 0 ] || root=sudo
folder=$(mktemp -d)
pids=
end() {
    for pid in $pids; do $root kill "$pid" 2>/dev/null || true; done
    wait
    $root rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' INT TERM

"$workload" --seconds 3600 >/dev/null &
pids=$!
port=$((20000 + $$ % 10000))
$root "$pyrope" run --storage.path="$folder/store" --server.http.listen-addr="127.0.0.1:$port" >"$folder/log" 2>&1 &
pids="$pids $!"

export PYROPE_URL="http://127.0.0.1:$port/" PYROPE_SERVICE=c-recurse PYROPE_EXPECT=busy_leaf
node -e '
    const deadline = Date.now() + 30_000;
    const ready = () => fetch(process.env.PYROPE_URL + "-/ready").then((answer) => answer.ok, () => false);
    while (!await ready()) {
        if (Date.now() > deadline) process.exit(1);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
' --input-type=module || { echo "with-pyrope: it is not ready after 30 s; it said:" >&2; cat "$folder/log" >&2; exit 1; }

"$@" || { status=$?; echo "with-pyrope: pyrope said:" >&2; tail -n 50 "$folder/log" >&2; exit $status; }
