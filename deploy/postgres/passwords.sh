#!/bin/sh
# Sets the passwords of the two roles, where the image makes a new database; run by it after roles.sql.
set -eu
for role in owner service; do
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=role="curavani_$role" --set=password="$(cat "/run/secrets/${role}_password")" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
ALTER ROLE :"role" PASSWORD :'password';
SQL
done
