#!/usr/bin/env bash
# scripts/startup-all.sh with containers, told with a docker and a curl that only write down what they are asked: what
# starts when, what is waited for, and what is said when something does not come. With plain processes the browser
# tests start the real thing.
set -euo pipefail
folder=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

mkdir "$scratch/bin"
# Each thing asked about answers at the third question; what is named in $DEAD never does.
cat >"$scratch/bin/docker" <<'END'
#!/usr/bin/env bash
answers() {
  [[ $1 != "${DEAD-}" ]] || exit 1
  echo x >>"$NOTES/asked.$1"
  (($(wc -l <"$NOTES/asked.$1") >= 3)) || exit 1
  grep -qx "ready $1" "$NOTES/story" || echo "ready $1" >>"$NOTES/story"
}
case "$*" in
  info | "compose version") ;;
  "compose up -d") echo "start ${PWD##*/}" >>"$NOTES/story" ;;
  "compose down") echo "stop ${PWD##*/}" >>"$NOTES/story" ;;
  "exec postgres psql"*) answers postgres ;;
  "exec -e REDISCLI_AUTH redis redis-cli ping") answers redis && echo PONG ;;
  logs*) echo "the last words of $2" ;;
  *) answers "${*: -1}" ;;
esac
END
cat >"$scratch/bin/curl" <<'END'
#!/usr/bin/env bash
port=${*: -1} port=${port##*:} port=${port%%/*}
exec docker answers "$port"
END
chmod +x "$scratch"/bin/*

# Runs the script, with a fresh story; DEAD comes from the caller.
startup() {
  rm -rf "$scratch/notes" && mkdir "$scratch/notes" && touch "$scratch/notes/story"
  env PATH="$scratch/bin:$PATH" NOTES="$scratch/notes" DEAD="${DEAD-}" AI_MICRO_HOME="$folder" \
    "$folder/scripts/startup-all.sh" "$@" 2>"$scratch/said"
}
expect() { # WHAT WANTED GOT
  if [[ $2 != "$3" ]]; then
    printf 'FAILED: %s\n--- want\n%s\n--- got\n%s\n' "$1" "$2" "$3"
    failed=1
  fi
}

startup
expect "each part starts when what it needs answers" "start ai-micro-postgres
ready postgres
start ai-micro-redis
ready redis
start ai-micro-api-auth
ready 8002
start ai-micro-api-user
start ai-micro-api-admin
ready 8001
ready 8003
start ai-micro-front-user
start ai-micro-front-admin
ready 3002
ready 3003" "$(<"$scratch/notes/story")"

status=0
DEAD=8002 startup --patience 10 || status=$?
expect "a part that does not answer ends it" 1 "$status"
expect "what needs it is not started" "start ai-micro-api-auth" "$(tail -1 "$scratch/notes/story")"
expect "it is named, with its last words" "startup-all: auth-service does not answer on port 8002 after 10 s; its last lines:
  | the last words of auth-service" "$(tail -2 "$scratch/said")"

startup --stop
expect "the end is the beginning backwards" "stop ai-micro-front-admin
stop ai-micro-front-user
stop ai-micro-api-admin
stop ai-micro-api-user
stop ai-micro-api-auth
stop ai-micro-redis
stop ai-micro-postgres" "$(<"$scratch/notes/story")"

status=0
startup --nonsense || status=$?
expect "a wrong option is usage" 2 "$status"

mkdir -p "$scratch"/system/ai-micro-{postgres,redis,api-auth,api-user,api-admin}
"$folder/scripts/make-env.sh" "$scratch/system" 2>/dev/null
before=$(cat "$scratch"/system/*/.env)
"$folder/scripts/make-env.sh" "$scratch/system" 2>/dev/null
expect "passwords that are there stay" "$before" "$(cat "$scratch"/system/*/.env)"
expect "nobody else may read them" "-rw-------" "$(stat -c %A "$scratch/system/ai-micro-redis/.env")"
expect "Redis and the auth service have the same one" \
  "$(sed -n 's/^REDIS_PASSWORD=//p' "$scratch/system/ai-micro-redis/.env")" \
  "$(sed -n 's/^AUTH_SERVICE_REDIS_PASSWORD=//p' "$scratch/system/ai-micro-api-auth/.env")"

exit "$failed"
