-- Two roles for Curavani's database, each with as little as it needs. To be run by an administrator of the server, in the
-- database itself, before the first `curavani db upgrade`; again at any time, also in a database that is in use:
--
--   psql --set=ON_ERROR_STOP=1 --file=deploy/postgres/roles.sql "postgresql://postgres@…/curavani"
--
-- curavani_owner    owns the tables: `curavani db upgrade` and `curavani db adopt` run as it, and nothing else
-- curavani_service  reads and writes rows: the services and every other command run as it. It can change no table, rewrite
--                   neither consents nor the record of accesses, and see no other schema.
--
-- Both log in by a password that the administrator sets: \password curavani_owner
DO $$
DECLARE
    role text;
    entry record;
BEGIN
    FOREACH role IN ARRAY ARRAY['curavani_owner', 'curavani_service'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', role);
        END IF;
        EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), role);
    END LOOP;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO curavani_owner', current_database());

    -- What an administrator made before belongs to the owner from now on.
    FOR entry IN SELECT nspname FROM pg_namespace WHERE nspname IN ('patient_service', 'therapist_service') LOOP
        EXECUTE format('ALTER SCHEMA %I OWNER TO curavani_owner', entry.nspname);
    END LOOP;
    FOR entry IN
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, oid::regclass AS name
          FROM pg_class
         WHERE (relnamespace::regnamespace::text IN ('patient_service', 'therapist_service')
                OR (relnamespace = 'public'::regnamespace AND relname IN ('alembic_version', 'curavani_version')))
           AND relkind IN ('r', 'p', 'v', 'S')
           -- A sequence of a column goes with its table.
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i') AND relkind = 'S')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO curavani_owner', entry.kind, entry.name);
    END LOOP;
    FOR entry IN
        SELECT oid::regprocedure AS name FROM pg_proc
         WHERE pronamespace::regnamespace::text IN ('patient_service', 'therapist_service')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO curavani_owner', entry.name);
    END LOOP;
    FOR entry IN
        SELECT oid::regtype AS name FROM pg_type
         WHERE typnamespace::regnamespace::text IN ('patient_service', 'therapist_service') AND typtype = 'e'
    LOOP
        EXECUTE format('ALTER TYPE %s OWNER TO curavani_owner', entry.name);
    END LOOP;
END $$;

CREATE SCHEMA IF NOT EXISTS patient_service AUTHORIZATION curavani_owner;
CREATE SCHEMA IF NOT EXISTS therapist_service AUTHORIZATION curavani_owner;
-- The revision of the schema stands in a table of `public`.
GRANT USAGE, CREATE ON SCHEMA public TO curavani_owner;
GRANT USAGE ON SCHEMA public, patient_service, therapist_service TO curavani_service;

-- What is there, and what later revisions add.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA patient_service, therapist_service TO curavani_service;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA patient_service, therapist_service TO curavani_service;
ALTER DEFAULT PRIVILEGES FOR ROLE curavani_owner IN SCHEMA patient_service, therapist_service
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO curavani_service;
ALTER DEFAULT PRIVILEGES FOR ROLE curavani_owner IN SCHEMA patient_service, therapist_service
    GRANT USAGE ON SEQUENCES TO curavani_service;
ALTER DEFAULT PRIVILEGES FOR ROLE curavani_owner IN SCHEMA public GRANT SELECT ON TABLES TO curavani_service;

-- Whether the schema is new enough is asked at every start.
DO $$
DECLARE
    entry record;
BEGIN
    FOR entry IN
        SELECT oid::regclass AS name FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relname IN ('alembic_version', 'curavani_version')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO curavani_service', entry.name);
    END LOOP;
END $$;
