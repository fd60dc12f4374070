#!/usr/bin/env bash
# The story of script/systems: both systems come up whole and answer; one part dies, is missed, and Daruma brings it
# back; everything goes down and leaves nothing; a start that fails says why and leaves nothing either.
#
#   systems_test.sh PROGRAMS     the directory they were built into
set -euo pipefail
systems=$(cd "$(dirname "$0")/../.." && pwd)/script/systems
programs=$1

scratch=$(mktemp -d "${TMPDIR:-/tmp}/daruma-systems-test.XXXXXX")
chmod 755 "$scratch"
directory=$scratch/both
end() {
  "$systems" down --directory "$directory" >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap end EXIT

fail() {
  printf 'systems_test: %s\n' "$*" >&2
  exit 1
}
status() { "$systems" status --json --directory "$directory"; }
daruma() { (cd "$directory/$1" && ../bin/daruma "${@:2}"); }
of_part() { status | jq -r --arg part "$1" ".parts[] | select(.part == \$part) | $2"; }
nothing_is_left() {
  [[ ! -e $directory ]] || fail "$1: $directory is still there"
  local left
  left=$(pgrep -af "$directory" || true)
  [[ -z $left ]] || fail "$1, still running: $left"
}

"$systems" status --directory "$directory" 2>/dev/null && fail 'status says that something is up before it is'

# --- up

"$systems" up --free-ports --hotels 50 --programs "$programs" --directory "$directory" >"$scratch/up.out" 2>&1 ||
  fail "up failed: $(cat "$scratch/up.out")"
[[ $(status | jq -r .state) == up ]] || fail "not up: $(status)"
[[ $(status | jq '.parts | length') == 11 ]] || fail 'there should be eleven parts'
grep -q 'Both systems are up' "$scratch/up.out" || fail 'up does not say so'

api=$(of_part lastminutestay-api .url)
curl -fsS "$api/api/hotels/search?checkIn=2024-06-21&checkOut=2024-06-22&guests=2" | grep -q '"roomId"' ||
  fail 'the search finds no rooms'
booked=$(curl -sS -o /dev/null -w '%{http_code}' -X POST "$api/api/bookings" -H 'Content-Type: application/json' \
  -H "Authorization: Bearer $(<"$directory/lastminutestay/test-token")" \
  -d '{"roomId":"test-room-id","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2}')
[[ $booked == 201 ]] || fail "the booking got $booked"

accounts=$directory/ai-micro-service/example-accounts
email=$(sed -n 's/^ *sign in as .* or \([^ ]*\)$/\1/p' "$accounts")
password=$(sed -n 's/^their password: //p' "$accounts")
curl -fsS -X POST "$(of_part auth-service .url)/auth/login" -H 'Content-Type: application/json' \
  -d "{\"email\":\"$email\",\"password\":\"$password\"}" | grep -qi token || fail 'the example account cannot log in'
for front in front-user front-admin; do
  curl -fsSI "$(of_part $front .url)/" >/dev/null || fail "$front does not answer HEAD /"
done

if ((EUID == 0)); then
  for id in $(status | jq '.parts[].pid'); do
    [[ $(stat -c %U "/proc/$id") != root ]] || fail "process $id runs as root"
  done
fi

# --- a part dies, and Daruma brings it back

for system in lastminutestay ai-micro-service; do
  daruma $system look >"$scratch/look.out" 2>&1 || fail "$system is not well: $(cat "$scratch/look.out")"
  daruma $system plan check >"$scratch/check.out" 2>&1 || fail "a plan of $system is wrong: $(cat "$scratch/check.out")"
done

daruma lastminutestay points >"$scratch/points.out" 2>&1 || fail "no points: $(cat "$scratch/points.out")"
grep -q 'backup cache' "$scratch/points.out" && fail 'points proposes a backup of Redis, which this version refuses'

cache='.parts[] | select(.system == "LastMinuteStay" and .part == "Redis")'
kill -KILL "$(status | jq "$cache.pid")"
until [[ $(status | jq -r "$cache.state") == down ]]; do :; done
code=0
status >/dev/null || code=$?
[[ $code == 1 ]] || fail "status ends with $code when a part is down, not with 1"
"$systems" up --free-ports --programs "$programs" --directory "$directory" >/dev/null 2>&1 && fail 'up over a broken one'
daruma lastminutestay look >"$scratch/look.out" && fail 'look finds nothing'
grep -q 'daruma recover cache-down' "$scratch/look.out" || fail "look names no plan: $(cat "$scratch/look.out")"

daruma lastminutestay recover cache-down >"$scratch/recover.out" 2>&1 || fail "not recovered: $(cat "$scratch/recover.out")"
daruma lastminutestay look >"$scratch/look.out" || fail "not well after the recovery: $(cat "$scratch/look.out")"
[[ $(status | jq -r .state) == up ]] || fail "not up after the recovery: $(status)"
grep -q cache-down "$directory/inbox" || fail 'nobody was told'

# --- down

"$systems" down --directory "$directory" 2>/dev/null || fail 'down failed'
nothing_is_left 'after down'
"$systems" down --directory "$directory" 2>/dev/null || fail 'down of nothing is no failure'

# --- a start that fails

mkdir "$scratch/programs"
cp "$programs"/{daruma,*-service,front-*,*-api} "$scratch/programs/"
rm -f "$scratch/programs/auth-service"
cat >"$scratch/programs/auth-service" <<'END'
#!/bin/sh
echo "starting"
echo "cannot read the private key: broken on purpose" >&2
exit 1
END
chmod +x "$scratch/programs/auth-service"
code=0
"$systems" up --free-ports --hotels 50 --programs "$scratch/programs" --directory "$directory" >"$scratch/up.out" 2>&1 ||
  code=$?
[[ $code == 1 ]] || fail "a start that fails ends with $code: $(cat "$scratch/up.out")"
grep -q 'auth-service of ai-micro-service did not start' "$scratch/up.out" || fail 'the failure does not name the part'
grep -q 'broken on purpose' "$scratch/up.out" || fail 'the failure does not show the line that matters'
nothing_is_left 'after a start that failed'
