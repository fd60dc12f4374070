#!/usr/bin/env bash
# Makes the .env files of the seven folders, with passwords nobody has seen. What is there stays as it is.
#
#   make-env.sh [DIRECTORY]     DIRECTORY: where the folders ai-micro-* are; else beside this script's folder
set -euo pipefail
umask 077
cd "${1:-$(dirname "$(readlink -f "$0")")/..}"

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# Prints the value of NAME in FILE, or a new secret.
known() { { [[ -f $1 ]] && sed -n "s/^$2=//p" "$1" | grep . ; } || secret; }
# Writes standard input to FILE, unless it is there.
once() {
  if [[ -f $1 ]]; then cat >/dev/null; else cat >"$1.new" && mv "$1.new" "$1" && echo "made $1" >&2; fi
}

postgres=$(known ai-micro-postgres/.env POSTGRES_PASSWORD)
redis=$(known ai-micro-redis/.env REDIS_PASSWORD)
once ai-micro-postgres/.env <<<"POSTGRES_PASSWORD=$postgres"
once ai-micro-redis/.env <<<"REDIS_PASSWORD=$redis"
for service in auth user admin; do
  prefix=${service^^}_SERVICE
  once "ai-micro-api-$service/.env" <<END
${prefix}_POSTGRES_PASSWORD=$(secret)
${prefix}_POSTGRES_ADMIN_PASSWORD=$postgres
$([[ $service != auth ]] || echo "${prefix}_REDIS_PASSWORD=$redis")
END
done
