#!/bin/sh
# Records test/fixtures/moved/<tool>/database.sql: a database as the real tool leaves it, with all migrations but the last.
# Needs createdb, psql and pg_dump for the server at PGHOST, PGPORT, PGUSER, and the tools on PATH:
#   go install github.com/pressly/goose/v3/cmd/goose@v3.26.0
#   go install -tags postgres github.com/golang-migrate/migrate/v4/cmd/migrate@v4.19.0
#   npm install dbmate node-pg-migrate pg
# flyway: a command that takes Flyway's arguments; without one its fixture is left as it is.
set -eu
cd "$(dirname "$0")/../test/fixtures/moved"

record() { # TOOL COMMAND…
  tool=$1
  shift
  dropdb --if-exists "moved_$$"
  createdb "moved_$$"
  DATABASE_URL="postgres://$PGUSER@$PGHOST:$PGPORT/moved_$$?sslmode=disable"
  export DATABASE_URL
  "$@"
  # Without what only its own version of psql or of the server understands.
  pg_dump --no-owner --no-privileges --inserts --schema=public "moved_$$" |
    grep -v -e '^--' -e '^SET ' -e '^SELECT pg_catalog.set_config' -e '^.restrict' -e '^.unrestrict' -e 'SCHEMA public' | sed -e 's/public\.//g' | cat -s > "$tool/database.sql"
  dropdb "moved_$$"
}

all_but_last() { # DIRECTORY NUMBER-OF-FILES: a copy without the newest ones
  rm -rf "/tmp/moved_$$" && mkdir "/tmp/moved_$$"
  find "$1" -type f | sort | head -n "$2" | while read -r file; do cp "$file" "/tmp/moved_$$/"; done
}

run_dbmate() { all_but_last dbmate/old 3 && dbmate --no-dump-schema --migrations-dir "/tmp/moved_$$" up; }

record goose sh -c 'goose -dir goose/old postgres "$DATABASE_URL" up-to 3'
record golang-migrate sh -c 'migrate -path golang-migrate/old -database "$DATABASE_URL" goto 2'
record dbmate run_dbmate
record node-pg-migrate node-pg-migrate up 2 --migrations-dir node-pg-migrate/old --migration-file-language sql
if command -v flyway > /dev/null; then
  record flyway sh -c "flyway -url=\"jdbc:postgresql://$PGHOST:$PGPORT/moved_$$\" -user=\"$PGUSER\" -locations=filesystem:flyway/old -target=3 migrate"
fi
rm -rf "/tmp/moved_$$"
