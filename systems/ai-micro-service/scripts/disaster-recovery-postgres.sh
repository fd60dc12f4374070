#!/bin/sh
# PostgreSQL's data is corrupt: the plan does what this script of the manual did. More words are for `daruma recover`.
exec daruma -c "${DARUMA_CONFIG:-/opt/ai-micro-service/daruma.yaml}" recover postgres-corruption "$@"
