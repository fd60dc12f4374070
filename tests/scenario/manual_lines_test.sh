#!/usr/bin/env bash
# Types the lines of docs/manual-lines.md as the page has them, against the real programs, on the manuals' own ports.
#
#   manual_lines_test.sh booking|ai-micro|pm2|systemd|docker PROGRAMS
#
# PROGRAMS is the directory of the built programs. A line works when it ends with 0 and prints what the page says.
# The systems are started in a scratch directory, in namespaces of their own (network, processes, mounts): nobody is in
# the way on the manuals' ports, and nothing outlives the test. That takes root. While pm2's lines are typed, requests
# go on, and none may fail. The lines of systemd and Docker restart what the whole machine has; they are typed only where
# MANUAL_LINES_ON_THIS_MACHINE=yes says that it is for that, and has the units, or the seven containers. Elsewhere the
# files behind them are at least read by the tools that will read them.
# Ends with 0, with 1 when a line does not work, with 77 when this machine cannot run the test; it says why.
set -euo pipefail

kind=$1
programs=$(readlink -f "$2")
top=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
page=$top/docs/manual-lines.md

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "failed: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }

# --- the world of the test

# The unit files, with a program that is there in place of ours.
check_units() {
  has systemd-analyze || return 0
  local unit
  for unit in "$top"/systems/lastminutestay/deploy/*.service; do
    sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$unit" >"$scratch/${unit##*/}"
  done
  systemd-analyze verify "$scratch"/*.service || fail "systemd does not take a unit file"
}
check_compose_files() {
  has docker-compose || return 0
  cp -r "$top/systems/ai-micro-service" "$scratch/"
  "$scratch/ai-micro-service/scripts/make-env.sh" 2>/dev/null
  local folder
  for folder in "$scratch"/ai-micro-service/ai-micro-*; do
    (cd "$folder" && docker-compose config -q) || fail "docker-compose does not take ${folder##*/}/docker-compose.yml"
  done
}

if [[ $kind == systemd || $kind == docker ]]; then
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/daruma-manual-lines.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  if [[ $kind == systemd ]]; then check_units; else check_compose_files; fi
  [[ ${MANUAL_LINES_ON_THIS_MACHINE-} == yes ]] || skip "lines of $kind are typed only with MANUAL_LINES_ON_THIS_MACHINE=yes"
elif [[ -z ${MANUAL_LINES_INSIDE-} ]]; then
  ((EUID == 0)) || skip "only root may make the namespaces that hold the manuals' ports"
  apart=(unshare --net --pid --fork --kill-child --mount --mount-proc)
  "${apart[@]}" true 2>/dev/null || skip "this machine does not let us make namespaces"
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/daruma-manual-lines.XXXXXX")
  chmod 755 "$scratch"
  status=0
  MANUAL_LINES_INSIDE=$scratch "${apart[@]}" "$0" "$kind" "$programs" || status=$?
  rm -rf "$scratch"
  exit "$status"
else
  scratch=$MANUAL_LINES_INSIDE
  ip link set lo up
fi

# Waits until a command succeeds, for a minute at most.
until_ready() {
  local what=$1 log=$2
  shift 2
  for _ in $(seq 600); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  tail -n 30 "$log" >&2 || true
  fail "$what did not start"
}

start_parts_of_booking() {
  local postgres_programs
  postgres_programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  export PGHOST=$scratch INTEGRITY_CHECK=$top/systems/lastminutestay/scripts/integrity_check.sql
  local as=(setpriv --reuid postgres --regid postgres --clear-groups --)
  chown postgres: "$scratch"
  "${as[@]}" "$postgres_programs/initdb" -D "$scratch/postgres" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
    --no-sync >"$scratch/initdb.log"
  postgres=("${as[@]}" "$postgres_programs/pg_ctl" -D "$scratch/postgres" -l "$scratch/postgres.log" -w -s -m fast
    -o "-k $scratch -c listen_addresses= -c fsync=off")
  "${postgres[@]}" start >/dev/null
  "${as[@]}" redis-server --bind 127.0.0.1 --save '' --appendonly no --dir "$scratch" >"$scratch/redis.log" &
  until_ready Redis "$scratch/redis.log" redis-cli ping
  HOTEL_DATA_STATE=$scratch/provider HOTEL_DATA_LOGS=$scratch/provider/logs HOTEL_DATA_WORKERS=1 \
    "$programs/hotel-data-api" >"$scratch/provider.log" 2>&1 &
  until_ready HotelDataAPI "$scratch/provider.log" curl -fsS http://localhost:3100/health

  (umask 077; head -c 32 /dev/urandom | base64 >"$scratch/token-secret")
  export LASTMINUTESTAY_POSTGRES_HOST=$scratch LASTMINUTESTAY_POSTGRES_USER=postgres \
    LASTMINUTESTAY_POSTGRES_DATABASE=lastminutestay LASTMINUTESTAY_PROVIDER_PORT=3100 \
    LASTMINUTESTAY_TOKEN_SECRET_FILE=$scratch/token-secret LASTMINUTESTAY_BUSINESS_DATE=2024-06-20
  mkdir "$scratch/home"
  cd "$scratch/home"
  psql -q -U postgres -c 'CREATE DATABASE lastminutestay'
  "$programs/lastminutestay-api" migrate >"$scratch/migrate.log" 2>&1 || { cat "$scratch/migrate.log"; fail migrate; }
  "$programs/lastminutestay-api" generate --hotels 40 >"$scratch/generate.log" 2>&1 || { cat "$scratch/generate.log"; fail generate; }
  TEST_TOKEN=$("$programs/lastminutestay-api" token)
  export TEST_TOKEN
}
backend_answers() { curl -fsS http://localhost:3000/monitoring/health; }
start_booking() {
  start_parts_of_booking
  LASTMINUTESTAY_STATE=$scratch/home/state LASTMINUTESTAY_LOGS=$scratch/home/logs \
    "$programs/lastminutestay-api" >"$scratch/api.log" 2>&1 &
  until_ready lastminutestay-api "$scratch/api.log" backend_answers
  # An error log has lines after a while: here of a booking that found PostgreSQL away.
  "${postgres[@]}" stop >/dev/null
  curl -sS -X POST http://localhost:3000/api/bookings -H "Authorization: Bearer $TEST_TOKEN" \
    -d '{"roomId":"test-room-id","checkIn":"2024-06-25","checkOut":"2024-06-26","guests":2}' >/dev/null
  "${postgres[@]}" start >/dev/null
  until_ready lastminutestay-api "$scratch/api.log" backend_answers
}

# The seven folders where the manual has them; the line that starts them is on the page.
prepare_ai_micro() {
  mount -t tmpfs -o mode=755 none /opt
  cp -r "$top/systems/ai-micro-service" /opt/ai-micro-service
  mkdir /opt/scripts
  ln -s /opt/ai-micro-service/scripts/startup-all.sh /opt/scripts/startup-all.sh
  export AI_MICRO_BIN=$programs PATH=$PATH:/usr/sbin
  /opt/ai-micro-service/scripts/make-env.sh 2>/dev/null
  cd /opt/ai-micro-service
}

start_pm2() {
  local pm2
  pm2=$(command -v pm2 || echo "$top/bench/peers/node/node_modules/.bin/pm2")
  [[ -x $pm2 ]] || skip "pm2 is not at hand: install it, or run \`npm ci\` in bench/peers/node"
  PATH=$(dirname "$pm2"):$programs:$PATH
  start_parts_of_booking
  export PM2_HOME=$scratch/pm2 LASTMINUTESTAY_HOME=$scratch/home LASTMINUTESTAY_PROGRAM=$programs/lastminutestay-api
  pm2 start "$top/systems/lastminutestay/deploy/ecosystem.config.cjs" >"$scratch/pm2.log" 2>&1 || { cat "$scratch/pm2.log"; fail pm2; }
  until_ready lastminutestay-api "$scratch/pm2.log" backend_answers
  while :; do
    if backend_answers >/dev/null 2>>"$scratch/refused"; then echo; else echo "failed" >>"$scratch/refused"; fi
  done >>"$scratch/asked" &
}

# --- the page

# Prints the rows as NUMBER, LINE, VERDICT, NEEDS, ANSWERS, separated by \037; the ends of lines within LINE are \036.
# Of an equivalent, LINE is the one to type instead.
rows() {
  awk '
    function code(cell, whole,   from, text) {
      from = index(cell, "`"); if (from == 0) return ""
      text = substr(cell, from + 1)
      gsub(/`<br>`/, "\036", text)
      if (whole) sub(/`[^`]*$/, "", text); else sub(/`.*$/, "", text)
      gsub(/@pipe@/, "|", text)
      return text
    }
    /^\| [0-9]+ \|/ {
      gsub(/\\\|/, "@pipe@")
      split($0, cell, / \| /)
      sub(/^\| /, "", cell[1])
      line = cell[3] == "equivalent" ? code(cell[6], 0) : code(cell[2], 1)
      printf "%s\037%s\037%s\037%s\037%s\n", cell[1], line, cell[3], cell[4], code(cell[5], 1)
    }' "$page"
}

# Every row is there, and says what it is.
check_page() {
  rows | awk -F '\037' '
    $1 != NR { print "row " $1 " stands in place " NR; bad = 1 }
    $3 != "as typed" && $3 != "equivalent" && $3 != "no" && $3 != "plan" { print "row " $1 ": verdict " $3; bad = 1 }
    $2 == "" { print "row " $1 " has no line"; bad = 1 }
    END { exit bad || NR == 0 }' || fail "the page is not whole"
}

# Every plan that the page names is there, and has the steps named with it.
check_plans() {
  local words name file step
  # shellcheck disable=SC2016
  grep -oE '[Pp]lan `[a-z-]+`, steps? `[a-z_-]+`(, `[a-z_-]+`)*' "$page" | tr -d '`,' |
    while read -r -a words; do
      name=${words[1]}
      file=$(printf '%s\n' "$top"/systems/*/plans/"$name".yaml)
      [[ -f $file ]] || fail "the page names plan $name, which is not there"
      for step in "${words[@]:3}"; do
        grep -q "^  $step:" "$file" || fail "the page names step $step of plan $name, which is not there"
      done
    done
}

typed=0 wrong=0
# Types one line in a shell of its own, in the directory where the one before it ended.
type_line() {
  local number=$1 line=$2 answers=$3 output status=0
  local then=$'\nstatus=$?; pwd >"$MANUAL_LINES_CWD"; exit $status'
  output=$(MANUAL_LINES_CWD=$scratch/cwd timeout 120 bash -c "$line$then" 2>&1) || status=$?
  [[ ! -s $scratch/cwd ]] || cd "$(<"$scratch/cwd")"
  typed=$((typed + 1))
  if ((status == 0)) && [[ $output == *"$answers"* ]]; then
    printf 'ok %3d  %s\n' "$number" "${line//$'\n'/ }"
    return
  fi
  wrong=$((wrong + 1))
  printf 'NOT OK %d  %s\n  ended with %d; wanted: %s\n' "$number" "$line" "$status" "${answers:-0}"
  tail -n 20 <<<"$output" | cut -c 1-400 | sed 's/^/  | /'
  if [[ -s logs/error.log ]]; then
    echo '  logs/error.log:'
    tail -n 5 logs/error.log | cut -c 1-400 | sed 's/^/  | /'
  fi
}

check_page
check_plans
case $kind in
  booking) start_booking ;;
  ai-micro) prepare_ai_micro ;;
  pm2) start_pm2 ;;
  systemd | docker) ;;
  *) fail "'$kind' is not a kind of line" ;;
esac

while IFS=$'\037' read -r -u 3 number line verdict needs answers; do
  [[ $verdict == "as typed" || $verdict == equivalent ]] || continue
  [[ " $needs " == *" $kind "* ]] || continue
  line=${line//$'\036'/$'\n'}
  if [[ " $needs " == *" ab "* ]] && ! has ab; then echo "skipped $number: ab is not at hand (package apache2-utils)"; continue; fi
  if [[ " $needs " == *" sql "* ]]; then line="psql -U postgres -d lastminutestay -c \"$line\""; fi
  type_line "$number" "$line" "$answers"
done 3< <(rows | if [[ $kind == ai-micro ]]; then
  # The line that starts the seven comes late in the manual.
  all=$(cat); grep 'ai-micro start' <<<"$all"; grep -v 'ai-micro start' <<<"$all"
else cat; fi)

if [[ $kind == pm2 ]]; then
  [[ ! -s $scratch/refused ]] || { head -n 5 "$scratch/refused"; fail "requests failed while pm2's lines were typed"; }
  echo "requests meanwhile: $(wc -l <"$scratch/asked"), none failed"
fi
((typed > 0)) || fail "the page has no line for $kind"
((wrong == 0)) || fail "$wrong of $typed lines do not work"
echo "$typed lines work"
