"""The programs that stand in for commands of the machine in the sandbox: they note how they were called."""

from __future__ import annotations

from typing import Final

MARK: Final = "# nomos: fetched by a stand-in"

_FETCHER: Final = """
fetch() {
  url='' target='' named='' folder='' show='' made=''
  while [ $# -gt 0 ]; do
    case "$1" in
      --) [ $# -gt 1 ] && url="$2" ;;
      --output=*|--output-document=*) target="${1#*=}" ;;
      --url=*) url="${1#*=}" ;;
      --output|--output-document) target="${2:-}"; [ $# -gt 1 ] && shift ;;
      --create-dirs) made=1 ;;
      --output-dir) folder="${2:-}/"; [ $# -gt 1 ] && shift ;;
      -w|--write-out) show="${2:-}"; [ $# -gt 1 ] && shift ;;
      -P) folder="${2:-}/"; [ $# -gt 1 ] && shift ;;
      --remote-name) named=1 ;;
      --url) url="${2:-}"; [ $# -gt 1 ] && shift ;;
      -H|-X|-A|-e|-d|-m|-u|-t|-T|--header|--request|--data|--data-*|--retry|--retry-*|--max-time|--connect-timeout) \\
        [ $# -gt 1 ] && shift ;;
      --tries|--timeout|--user|--cacert|--proto) [ $# -gt 1 ] && shift ;;
      --*) ;;
      -*O) if [ "$name" = wget ]; then target="${2:-}"; [ $# -gt 1 ] && shift; else named=1; fi ;;
      -*O-) target=- ;;
      -*o) [ "$name" = wget ] || target="${2:-}"; [ $# -gt 1 ] && shift ;;
      -*) ;;
      *://*) url="$1" ;;
      *) [ -n "$url" ] || url="$1" ;;
    esac
    shift
  done
  [ "$name" = curl ] || named="${named:-$([ -n "$target" ] || echo 1)}"
  if [ -z "$target" ] && [ -n "$named" ]; then
    target="${url%%[?#]*}"; target="${target##*/}"; target="${target:-index.html}"
  fi
  [ -z "$show" ] || printf '%b' "$(printf '%s' "$show" | /bin/sed 's/%{[a-z_]*code}/200/g')"
  case "$url" in *://169.254.169.254/*|*://metadata.*) body='' ;; *) body=1 ;; esac
  if [ -z "$target" ] || [ "$target" = - ]; then
    [ "$url" != "$(/bin/cat @HERE@/agent-url)" ] || fetched
    return 0
  fi
  target="$folder$target"
  [ -z "$made" ] || /bin/mkdir -p -- "$(/usr/bin/dirname -- "$target")"
  if [ -n "$body" ]; then fetched > "$target"; else : > "$target"; fi
}
fetched() {
  printf '%s' "$url" > @HERE@/fetched/$$
  /bin/cp @HERE@/plan @HERE@/fetched/$$.plan
  echo "$$" > @HERE@/fetched/last
  printf '#!/bin/sh\\n@MARK@\\nexec /bin/sh "%s/ran" %s "$0" "$@"\\n' @HERE@ "$$"
}
"""

STAND_IN: Final = (
    """#!/bin/sh
name="${0##*/}"
printf '%s\\n' "$name $*" >> @HERE@/calls
"""
    + _FETCHER
    + """
last() { for word in "$@"; do :; done; printf '%s' "${word:-}"; }
account() {
  [ -n @ISOLATED@ ] || return 0
  /bin/grep -q "^$2:" "/etc/$1" 2>/dev/null || printf '%s:x:1500:1500::/home/%s:/bin/sh\\n' "$2" "$2" >> "/etc/$1"
}
case "$name" in
  curl|wget) fetch "$@" || exit ;;
  useradd|adduser) one="$(last "$@")"; account passwd "$one"; account group "$one"
    [ -z @ISOLATED@ ] || /bin/mkdir -p "/home/$one" ;;
  groupadd|addgroup) account group "$(last "$@")" ;;
  getent)
    case "${1:-}" in
      passwd|group) [ -z "${2:-}" ] && exec /bin/cat "/etc/$1"; /bin/grep "^$2:" "/etc/$1" || exit 2 ;;
      *hosts*) printf '127.0.0.1 %s\\n' "${2:-localhost}" ;;
    esac ;;
  chpasswd|debconf-set-selections|systemd-cat) /bin/cat > /dev/null ;;
  apt-key) case "$*" in *add*-*) /bin/cat > /dev/null ;; esac ;;
  logger)
    read_in=1 echoed=''
    while [ $# -gt 0 ]; do
      case "$1" in -t|-p|-f|-n|-P|-u) [ $# -gt 1 ] && shift ;; -*s*) echoed=1 ;; -*) ;; *) read_in='' ;; esac; shift
    done
    [ -n "$echoed" ] || exec 2> /dev/null
    [ -z "$read_in" ] || /usr/bin/tee -a @HERE@/logged >&2 ;;
  lsb_release) case "$*" in *c*) echo noble ;; *r*) echo 24.04 ;; *) echo Ubuntu ;; esac ;;
  hostname) [ $# -gt 0 ] || echo instance ;;
  dpkg) case "${1:-}" in --print-architecture) echo amd64 ;; esac ;;
  systemctl)
    case "$*" in
      *is-failed*) echo active; exit 1 ;;
      *is-active*) echo active ;;
      *is-enabled*) echo enabled ;;
      *start*|*enable*--now*|*--now*enable*)
        printf 'it has no systemd, which `%s` asks for\\n' "$name $*" >> @HERE@/notes ;;
    esac ;;
  docker|podman)
    case "${1:-}" in
      run|exec) printf 'it has no containers, which `%s` asks for\\n' "$name $1" >> @HERE@/notes ;;
    esac ;;
  fuser|pgrep|pidof|pkill) exit 1 ;;
  at|aws|az|crontab|gcloud|git|gpg|gsutil|helm|kubectl|npm|pip|pip3|rsync|scp|snap|ssh-keygen)
    printf 'it has no working `%s`\\n' "$name" >> @HERE@/notes
    case "$name $*" in gpg*--dearmor*|crontab*-) /bin/cat > /dev/null ;; esac ;;
esac
exit 0
"""
)

RAN: Final = """number="$1"
shift
printf 'fetched-file %s\\n' "$*" >> @HERE@/calls
/usr/bin/env -0 > @HERE@/fetched/$number.ran-$$
"""
"""What a file does that a stand-in fetched: it notes with which variables it runs."""

RUNNER: Final = """#!/bin/sh
name="${0##*/}" command='' given='' skip=''
printf '%s\\n' "$name $*" >> @HERE@/calls
case "$name" in timeout|cloud-init-per) skip=1 ;; gosu) given=1 ;; su) skip=1 ;; esac
[ "$name" = cloud-init-per ] && skip=2
while [ $# -gt 0 ]; do
  case "$name:$1" in
    *:--) shift; break ;;
    su:-c|su:--command|runuser:-c|runuser:--command) command="${2:-}"; given=1; [ $# -gt 1 ] && shift ;;
    su:--command=*|runuser:--command=*) command="${1#*=}"; given=1 ;;
    su:-[sgGw]|runuser:-[sgG]|su:--shell|su:--group) [ $# -gt 1 ] && shift ;;
    runuser:-u|runuser:--user) skip=''; [ $# -gt 1 ] && shift ;;
    sudo:-*[ugpCrthDRTU]|doas:-*[uC]) [ $# -gt 1 ] && shift ;;
    sudo:--user|sudo:--group|sudo:--prompt|sudo:--chdir|sudo:--host) [ $# -gt 1 ] && shift ;;
    timeout:-[ks]|timeout:--signal|timeout:--kill-after) [ $# -gt 1 ] && shift ;;
    nice:-n|ionice:-[cn]|stdbuf:-[ioe]|systemd-run:-[puMEH]|chrt:-[TPD]) [ $# -gt 1 ] && shift ;;
    systemd-run:--unit|systemd-run:--property|systemd-run:--setenv|systemd-run:--slice|systemd-run:--description) \\
      [ $# -gt 1 ] && shift ;;
    *:-*) ;;
    sudo:[A-Za-z_]*=*) export "$1" ;;
    *) if [ "${skip:-0}" -gt 0 ]; then skip=$((skip - 1))
       elif [ "$name" = gosu ] && [ -n "$given" ]; then given=''
       elif [ "$name" = runuser ] && [ -n "$given" ]; then :
       else break; fi ;;
  esac
  shift
done
[ -z "$command" ] || exec /bin/sh -c "$command" "$@"
[ $# -gt 0 ] || exit 0
exec "$@"
"""

UNPACKER: Final = """#!/bin/sh
name="${0##*/}" real='' marked='' stdout='' out=''
printf '%s\\n' "$name $*" >> @HERE@/calls
for folder in /usr/bin /bin /usr/sbin /sbin; do [ -z "$real" ] && [ -x "$folder/$name" ] && real="$folder/$name"; done
absent() { printf '%s: %s: not found\\n' "$0" "$name" >&2; exit 127; }
is_marked() { [ -f "$1" ] && /usr/bin/head -c 200 "$1" | /bin/grep -q '^@MARK@'; }
if [ "$name" = install ]; then
  count=$#
  while [ "$count" -gt 0 ]; do
    word="$1"; shift; count=$((count - 1))
    case "$word" in
      -o|-g|--owner|--group) [ "$count" -gt 0 ] && shift && count=$((count - 1)) ;;
      --owner=*|--group=*) ;;
      *) set -- "$@" "$word" ;;
    esac
  done
  [ -n "$real" ] || absent
  exec "$real" "$@"
fi
for word in "$@"; do
  is_marked "$word" && marked="$word"
  is_marked "${word#-*f}" && marked="${word#-*f}"
done
case "$name" in
  sha*)
    case " $* " in
      *" -c"*|*--check*) ;;
      *) [ -z "$marked" ] || printf 'what is fetched in it has another checksum\\n' >> @HERE@/notes
         [ -n "$real" ] || absent
         exec "$real" "$@" ;;
    esac
    list="$(/bin/cat)" || :
    for word in "$@"; do [ -f "$word" ] && list="$(/bin/cat "$word")"; done
    while read -r _ file; do
      is_marked "${file#\\*}" && exit 0
    done <<END
$list
END
    [ -n "$real" ] || absent
    printf '%s\\n' "$list" > @HERE@/list-$$
    count=$#
    while [ "$count" -gt 0 ]; do
      word="$1"; shift; count=$((count - 1))
      case "$word" in -) ;; -*) set -- "$@" "$word" ;; esac
    done
    exec "$real" "$@" < @HERE@/list-$$ ;;
  tar|unzip)
    case "$name ${1:-} $*" in
      "tar -"*x*|"tar x"*|"tar "*" --extract"*|"unzip "*) ;;
      *) [ -n "$real" ] || absent; exec "$real" "$@" ;;
    esac
    if [ -z "$marked" ]; then
      found=''
      for word in "$@"; do case "$word" in -) ;; *) [ -f "$word" ] && found=1 ;; esac; done
      if [ -z "$found" ]; then
        given="$(/bin/mktemp @HERE@/stdin-XXXXXX)"
        /bin/cat > "$given"
        if [ -s "$given" ] && ! is_marked "$given"; then
          [ -n "$real" ] || absent
          exec "$real" "$@" < "$given"
        fi
      else
        [ -n "$real" ] || absent
        exec "$real" "$@"
      fi
    fi
    into=.
    while [ $# -gt 0 ]; do
      case "$name:$1" in
        tar:-C|tar:--directory|unzip:-d) into="${2:-.}" ;;
        tar:--directory=*) into="${1#*=}" ;;
        tar:-C*) into="${1#-C}" ;;
      esac
      shift
    done
    printf 'it cannot know what is in an archive that is fetched\\n' >> @HERE@/notes
    [ -d "$into" ] || { echo "$name: $into: Cannot open: No such file or directory" >&2; exit 2; }
    whole="$(cd "$into" && pwd)"
    while read -r file; do
      case "$file" in
        "$whole"/*) file="${file#"$whole"/}" ;;
        /*) continue ;;
        *) [ "$whole" = "$(pwd)" ] || continue ;;
      esac
      [ -e "$into/$file" ] && continue
      /bin/mkdir -p -- "$(/usr/bin/dirname -- "$into/$file")"
      { read -r number < @HERE@/fetched/last; } 2>/dev/null || number=0
      printf '#!/bin/sh\\n@MARK@\\nexec /bin/sh "%s/ran" %s "$0" "$@"\\n' @HERE@ "$number" > "$into/$file"
      /bin/chmod 0755 "$into/$file"
    done < @HERE@/unpacked
    exit 0 ;;
esac
case " $* " in *" -c "*|*" -dc "*|*" -cd "*|*stdout*) stdout=1 ;; esac
case "$name" in zcat|xzcat) stdout=1 ;; esac
case "$name $*" in
  "gzip "*-*d*|"xz "*-*d*|gunzip*|unxz*|zcat*|xzcat*) ;;
  *) [ -n "$real" ] || absent; exec "$real" "$@" ;;
esac
if [ -n "$marked" ]; then
  [ -z "$stdout" ] || exec /bin/cat "$marked"
  out="${marked%.*}"
  [ "$out" = "$marked" ] || /bin/mv -f "$marked" "$out"
  exit 0
fi
for word in "$@"; do
  if [ -f "$word" ]; then [ -n "$real" ] || absent; exec "$real" "$@"; fi
done
given="$(/bin/mktemp @HERE@/stdin-XXXXXX)"
/bin/cat > "$given"
if [ ! -s "$given" ] || is_marked "$given"; then exec /bin/cat "$given"; fi
[ -n "$real" ] || absent
exec "$real" "$@" < "$given"
"""
