#!/bin/sh
# Builds the image of docs/deploy/Dockerfile and tries it, without docker or another engine: sh docs/deploy/image.sh
# As root, with Debian's packages buildah, debootstrap, netcat-openbsd; 2 minutes, 1 GB in TMPDIR, where nothing stays.
# With PULL=1 its base is the real node:24-slim; else a stand-in: Debian's packages and this machine's node and npm.
set -eu
cd "$(dirname "$0")/../.."

GRACE=2
work=$(mktemp -d "${TMPDIR:-/tmp}/echopool-image.XXXXXX")
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
container=
processes=

ok() { echo "ok: $*"; }
fail() { echo "not ok: $*" >&2; [ ! -f "$work/log" ] || cat "$work/log" >&2; exit 1; }
image() { action=$1; shift; buildah --root "$work/store" --runroot "$work/run" "$action" "$@"; }

cleanUp() {
  for process in $processes; do kill -KILL "$process" 2>/dev/null || :; done
  [ -z "$container" ] || image umount "$container" >/dev/null || :
  rm -rf "$work"
}
trap cleanUp EXIT
trap 'exit 130' INT TERM

# A base image of what this machine has, under the real one's name.
makeStandIn() {
  debootstrap --variant=minbase stable "$work/base" >"$work/log" 2>&1 || fail 'debootstrap'
  modules=$work/base/usr/local/lib/node_modules
  mkdir -p "$modules" "$work/base/usr/local/etc" "$work/base/etc/ssl/certs"
  cp "$(readlink -f "$(command -v node)")" "$work/base/usr/local/bin/node"
  cp -r "$(npm root --global)/npm" "$modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/base/usr/local/bin/npm"
  # How this machine comes to the registry of npm.
  cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/"
  printf 'cafile=/etc/ssl/certs/ca-certificates.crt\nregistry=%s\n' "$(npm config get registry)" \
    >"$work/base/usr/local/etc/npmrc"
  new=$(image from scratch)
  image add --quiet "$new" "$work/base" / >/dev/null
  image commit --quiet "$new" docker.io/library/node:24-slim >/dev/null
  rm -rf "$work/base"
  ok "a stand-in for node:24-slim, with node $(node --version)"
}

config() { image inspect --format "{{range .OCIv1.Config.$1}}{{.}} {{end}}" "$container"; }

# The image's command as process 1, with its user and its environment, on a root that cannot be written.
start() {
  root=$(image mount "$container")
  user=$(image inspect --format '{{.OCIv1.Config.User}}' "$container")
  # shellcheck disable=SC2046 # There is no space within a word of these.
  unshare --mount --pid --fork --kill-child sh -c '
    root=$1 user=$2; shift 2
    mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" &&
    mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" &&
    exec chroot --userspec="$user" --groups= "$root" /usr/bin/env -i "$@"' \
    sh "$root" "$user" $(config Env) ECHOPOOL_HOST=127.0.0.1 $(config Entrypoint) "$@" >"$work/log" 2>&1 &
  unshare=$!
  processes="$processes $unshare"
}

# Waits up to a minute for a line of the server's log.
logged() {
  for _ in $(seq 600); do
    ! grep -q "$1" "$work/log" || return 0
    sleep 0.1
  done
  fail "no '$1' in the log"
}

if [ "${PULL:-0}" = 1 ]; then
  image bud --quiet -f docs/deploy/Dockerfile -t echopool . >"$work/log" 2>&1 || fail 'the image is built'
else
  makeStandIn
  image bud --quiet --pull-never -f docs/deploy/Dockerfile -t echopool . >"$work/log" 2>&1 || fail 'the image is built'
fi
ok 'the image is built'

container=$(image from --pull-never localhost/echopool)
start --port 0 --grace $GRACE
logged 'listening on 127.0.0.1:[0-9]'
port=$(sed -n 's/.*listening on 127.0.0.1:\([0-9]*\).*/\1/p' "$work/log")
node=$(tr -d ' ' <"/proc/$unshare/task/$unshare/children")

[ "$(printf hi | nc -N 127.0.0.1 "$port")" = HI ] || fail 'it serves'
ok 'it serves'
grep -q '^NSpid:.*[[:space:]]1$' "/proc/$node/status" || fail 'node is process 1'
[ "$(tr '\0' '\n' <"/proc/$node/cmdline" | head -n 1)" = node ] || fail 'node is process 1'
ok 'node is process 1, without a shell between'
for process in "$node" $(cat "/proc/$node/task/$node/children"); do
  grep -q '^Uid:[[:space:]]*65534[[:space:]]*65534[[:space:]]*65534' "/proc/$process/status" || fail 'it runs as nobody'
done
ok 'it and its workers run as nobody'
! touch "/proc/$node/root/tmp/file" 2>/dev/null || fail 'its root cannot be written'
ok 'its root cannot be written'
kill -HUP "$node"
logged 'the reload is done'
[ "$(printf again | nc -N 127.0.0.1 "$port")" = AGAIN ] || fail 'SIGHUP reloads it'
ok 'SIGHUP reloads it'

# With a client that stays.
node -e "net.connect({ port: $port, host: '127.0.0.1', allowHalfOpen: true }).write('stay')" &
processes="$processes $!"
logged '"stay'
began=$(date +%s%N)
kill -TERM "$node"
code=0
wait "$unshare" || code=$?
took=$((($(date +%s%N) - began) / 1000000))
[ "$code" = 0 ] || fail "SIGTERM ends it with exit code $code"
[ "$took" -le $((GRACE * 1000 + 1000)) ] || fail "SIGTERM ends it after $took ms, with --grace $GRACE"
ok "SIGTERM ends it after $took ms, with --grace $GRACE and a client connected"
