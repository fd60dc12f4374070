#!/usr/bin/env bash
# Starts ai-micro-service: each part when what it needs answers, and not before.
#
#   startup-all.sh [--compose | --processes] [--patience SECONDS]
#   startup-all.sh --stop [--compose | --processes]
#
# Order: postgres, redis; auth-service; user-service and admin-service; front-user and front-admin. What runs already
# stays as it is. Ends with 0 when all seven answer; with 1, the part's last log lines, and the rest not started,
# when one does not within SECONDS (60).
#
# With Docker by default, with plain processes where there is none. Installed as /opt/scripts/startup-all.sh; the
# folders ai-micro-* are beside this script's folder, else in /opt/ai-micro-service, or where AI_MICRO_HOME says.
# Processes: their ids are in AI_MICRO_RUN (default: HOME/run), their programs in AI_MICRO_BIN (default: HOME/bin).
set -euo pipefail

usage() { sed -n '4,5s/^#   //p' "$0"; }
say() { printf '%s\n' "$*" >&2; }

mode='' patience=60 stopping=false
while (($#)); do
  case $1 in
    --compose | --processes) mode=${1#--} ;;
    --patience) patience=${2:?--patience wants seconds}; shift ;;
    --stop) stopping=true ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

home=${AI_MICRO_HOME:-$(dirname "$(readlink -f "$0")")/..}
[[ -d $home/ai-micro-postgres ]] || home=/opt/ai-micro-service
[[ -d $home/ai-micro-postgres ]] || { say "startup-all: no folder ai-micro-postgres in $home; set AI_MICRO_HOME"; exit 2; }
home=$(cd "$home" && pwd)
run=${AI_MICRO_RUN:-$home/run}

if [[ -z $mode ]]; then
  mode=processes
  if command -v docker >/dev/null && docker info >/dev/null 2>&1; then mode=compose; fi
fi

# part: its folder, its container or process, its port
parts=(
  "ai-micro-postgres    postgres      ${POSTGRES_PORT:-5432}"
  "ai-micro-redis       redis         ${REDIS_PORT:-6379}"
  "ai-micro-api-auth    auth-service  ${AUTH_SERVICE_PORT:-8002}"
  "ai-micro-api-user    user-service  ${USER_SERVICE_PORT:-8001}"
  "ai-micro-api-admin   admin-service ${ADMIN_SERVICE_PORT:-8003}"
  "ai-micro-front-user  front-user    ${FRONT_USER_PORT:-3002}"
  "ai-micro-front-admin front-admin   ${FRONT_ADMIN_PORT:-3003}"
)

compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }
# The value of NAME in a folder's .env.
env_of() { sed -n "s/^$2=//p" "$home/$1/.env" 2>/dev/null || true; }

ask_postgres() {
  if [[ $mode == compose ]]; then docker exec postgres psql -U postgres -qAtc 'SELECT 1'
  else PGPASSWORD=$(env_of ai-micro-postgres POSTGRES_PASSWORD) PGCONNECT_TIMEOUT=2 \
    psql -h 127.0.0.1 -p "$1" -U postgres -qAtc 'SELECT 1'
  fi
}
ask_redis() {
  local password
  password=${REDIS_PASSWORD:-$(env_of ai-micro-redis REDIS_PASSWORD)}
  if [[ $mode == compose ]]; then REDISCLI_AUTH=$password docker exec -e REDISCLI_AUTH redis redis-cli ping
  else REDISCLI_AUTH=$password redis-cli -h 127.0.0.1 -p "$1" ping
  fi | grep -q PONG
}
ready() {
  local name=$1 port=$2
  case $name in
    postgres) ask_postgres "$port" ;;
    redis) ask_redis "$port" ;;
    front-*) curl -fsSI -m 2 "http://127.0.0.1:$port/" ;;
    *) curl -fsS -m 2 "http://127.0.0.1:$port/health" ;;
  esac >/dev/null 2>&1
}

alive() { [[ -f $run/$1.pid ]] && kill -0 "$(<"$run/$1.pid")" 2>/dev/null; }
start() {
  local folder=$1 name=$2
  if [[ $mode == compose ]]; then
    (cd "$home/$folder" && compose up -d)
  elif ! alive "$name"; then
    mkdir -p "$run"
    setsid "$home/$folder/run" </dev/null >>"$run/$name.log" 2>&1 &
    echo $! >"$run/$name.pid"
  fi
}
last_lines() {
  if [[ $mode == compose ]]; then docker logs "$1" --tail 20 2>&1; else tail -n 20 "$run/$1.log"; fi | sed 's/^/  | /' >&2
}
wait_until_ready() {
  local name=$1 port=$2 until=$((SECONDS + patience))
  until ready "$name" "$port"; do
    if ((SECONDS >= until)); then
      say "startup-all: $name does not answer on port $port after $patience s; its last lines:"
      last_lines "$name"
      exit 1
    fi
    if [[ $mode == processes ]] && ! alive "$name"; then
      say "startup-all: $name has ended; its last lines:"
      last_lines "$name"
      exit 1
    fi
    sleep 0.2
  done
  say "startup-all: $name is ready"
}

stop() {
  local folder=$1 name=$2 until=$((SECONDS + patience))
  if [[ $mode == compose ]]; then
    (cd "$home/$folder" && compose down)
  elif alive "$name"; then
    # PostgreSQL waits for its clients on TERM; INT ends it quickly and cleanly.
    kill -s "$([[ $name == postgres ]] && echo INT || echo TERM)" "$(<"$run/$name.pid")"
    while alive "$name"; do
      ((SECONDS < until)) || { say "startup-all: $name does not stop"; exit 1; }
      sleep 0.1
    done
    rm -f "$run/$name.pid"
  fi
  say "startup-all: $name is stopped"
}

if $stopping; then
  for ((i = ${#parts[@]} - 1; i >= 0; --i)); do
    read -r folder name _ <<<"${parts[i]}"
    stop "$folder" "$name"
  done
  exit 0
fi

# What may start together stands in one step: first all of it is started, then all of it is waited for.
for step in "0" "1" "2" "3 4" "5 6"; do
  for i in $step; do
    read -r folder name _ <<<"${parts[i]}"
    start "$folder" "$name"
  done
  for i in $step; do
    read -r _ name port <<<"${parts[i]}"
    wait_until_ready "$name" "$port"
  done
done
say "startup-all: all seven answer"
