#!/usr/bin/env bash
# A Docker engine for tests: its own, in a scratch folder, where none is reachable; and the small image that instances
# are made of. Nothing is pulled, no system setting is changed, and an engine that runs already is used as it is.
#
#   tools/engine.sh start FOLDER   start an engine in FOLDER unless one is reachable, see to the image, and print
#                                  the line that has to be exported
#   tools/engine.sh image          see to the image on the engine that DOCKER_HOST names
#   tools/engine.sh stop FOLDER    stop the engine of FOLDER and remove the folder; without one there, do nothing
set -euo pipefail

image=nomos-busybox:test

fail() { printf 'engine: %s\n' "$1" >&2; exit 1; }
reachable() { docker info >/dev/null 2>&1; }

# A root file system with busybox under all of its names, imported: a registry is not needed.
import_image() {
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  local busybox root
  busybox=$(command -v busybox) || fail "busybox is missing: apt-get install busybox-static"
  if ldd "$busybox" >/dev/null 2>&1; then fail "$busybox needs libraries: apt-get install busybox-static"; fi
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,etc,dev,proc,sys,root,tmp,var/lib}
  chmod 1777 "$root/tmp"
  cp "$busybox" "$root/bin/busybox"
  for name in $("$busybox" --list); do
    [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  tar -C "$root" --owner=0 --group=0 -cf - . | docker import - "$image" >/dev/null
  rm -rf "$root"
}

start() {
  local folder=$1
  command -v docker >/dev/null || fail "the docker client is missing: apt-get install docker.io"
  if ! reachable; then
    command -v dockerd >/dev/null || fail "dockerd is missing: apt-get install docker.io"
    [ "$(id -u)" = 0 ] || fail "only root can start dockerd; start an engine by other means and export DOCKER_HOST"
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    [ ${#folder} -le 64 ] || fail "$folder is too long: the engine's sockets in it could not be bound"
    export DOCKER_HOST="unix://$folder/docker.sock"
    # No bridge and no firewall rules: the network of the machine stays as it is. vfs works on any file system.
    nohup dockerd --host "$DOCKER_HOST" --data-root "$folder/data" --exec-root "$folder/exec" \
      --pidfile "$folder/pid" --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs \
      </dev/null >"$folder/log" 2>&1 &
    local daemon=$!
    for _ in $(seq 300); do
      if reachable; then break; fi
      kill -0 "$daemon" 2>/dev/null || { tail -n 20 "$folder/log" >&2; fail "dockerd ended; its last lines are above"; }
      sleep 0.1
    done
    reachable || { kill "$daemon"; tail -n 20 "$folder/log" >&2; fail "dockerd does not answer within 30 s"; }
  fi
  import_image
  if [ -n "${DOCKER_HOST:-}" ]; then echo "export DOCKER_HOST=$DOCKER_HOST"; fi
}

stop() {
  local folder=$1 daemon
  [ -d "$folder" ] || return 0
  folder=$(cd "$folder" && pwd)
  # Only what this script made: a folder without all of these is somebody else's.
  if [ ! -e "$folder/log" ] || [ ! -d "$folder/data" ] || [ ! -d "$folder/exec" ]; then
    fail "$folder is no folder of an engine; left as it is"
  fi
  daemon=$(cat "$folder/pid" 2>/dev/null || true)
  if [ -n "$daemon" ] && grep -qa "$folder/docker.sock" "/proc/$daemon/cmdline" 2>/dev/null; then
    kill "$daemon"
    for _ in $(seq 200); do
      kill -0 "$daemon" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$daemon" 2>/dev/null || true
  fi
  # What a killed engine leaves mounted would keep the folder.
  awk -v below="$folder/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r place; do
    umount "$place" || true
  done
  rm -rf "$folder"
}

case "${1:-} $#" in
  "start 2") start "$2" ;;
  "image 1") import_image ;;
  "stop 2") stop "$2" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
