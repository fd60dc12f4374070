#!/usr/bin/env bash
# The second half of the demo: both systems are broken in six ways, and each time their plan brings them back.
#
#   acts_test.sh PROGRAMS     the directory they were built into
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/daruma-acts-test.XXXXXX")
chmod 755 "$scratch"
directory=$scratch/both
end() {
  "$root/script/systems" down --directory "$directory" >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap end EXIT

"$root/script/systems" up --free-ports --hotels 50 --programs "$1" --directory "$directory" >"$scratch/up.out" 2>&1 ||
  { cat "$scratch/up.out"; exit 1; }
code=0
"$root/script/acts" --directory "$directory" >"$scratch/acts.out" 2>&1 || code=$?
cat "$scratch/acts.out"
[[ $code == 0 ]] || { echo "acts_test: script/acts ended with $code"; exit 1; }
# A check that is not made cannot fail: six acts, seven lines at the end, no cross.
[[ $(grep -c '^   ✓ [1-6] ' "$scratch/acts.out") == 7 ]] || { echo 'acts_test: not seven promises held'; exit 1; }
