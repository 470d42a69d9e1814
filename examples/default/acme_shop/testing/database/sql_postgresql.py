"""The SQL of PostgreSQL's image: what it keeps in its schema, and the functions that compare and restore."""

from .image import PATIENCE

# Of each catalogue: what its rows are, and what they belong to.
CATALOGUE = {
    "attribute": ("attnum > 0 AND attrelid", "attrelid"), "constraint": ("oid", "conrelid"),
    "trigger": ("oid", "tgrelid"), "proc": ("oid", "pronamespace"), "type": ("oid", "typnamespace"),
    "rewrite": ("oid", "ev_class"), "sequence": ("seqrelid", "seqrelid"), "enum": ("oid", "enumtypid"),
    "policy": ("oid", "polrelid"),
}  # fmt: skip
TEMPORARY = """
SELECT ARRAY(SELECT oid FROM pg_class WHERE relpersistence = 't'
    UNION ALL SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_') AS owners OFFSET 0
"""
STATES = " || ';' || ".join(
    f"(SELECT concat(count(*), ' ', max(xmin::text::bigint)) FROM pg_{table} "  # noqa: S608
    f"WHERE {oid} >= 16384 AND {owner} <> ALL (temporary.owners))"
    for table, (oid, owner) in CATALOGUE.items()
)
# Changes with each change of the schema, and with nothing else. A superuser has an event trigger note each
# command that may have changed it, so that this is compared after such a test alone.
SCHEMA = f"(SELECT {STATES} FROM ({TEMPORARY}) temporary)"  # noqa: S608
OURS = (
    "n.nspname !~ '^testing_pristine' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
)
MAKE = f"""
DROP SCHEMA IF EXISTS <SCHEMA> CASCADE;
CREATE SCHEMA <SCHEMA>;
CREATE TABLE <SCHEMA>.tables (id oid, name text, columns text, number bigint, mark xid);
CREATE TABLE <SCHEMA>.sequences (id oid, value bigint, start bigint);
CREATE TABLE <SCHEMA>.schema (state text);
CREATE TABLE <SCHEMA>.commands AS
    SELECT false AS is_noted FROM pg_roles WHERE rolname = current_user AND NOT rolsuper;
CREATE VIEW <SCHEMA>.tables_now AS
    SELECT c.oid AS id, format('%I.%I', n.nspname, c.relname) AS name, (
        SELECT coalesce(string_agg(quote_ident(attname), ', ' ORDER BY attnum), '') FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {OURS} AND NOT EXISTS (
        SELECT FROM pg_depend d  -- Tables of an extension.
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
CREATE FUNCTION <SCHEMA>.look(name text, mark xid, OUT number bigint, OUT later bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT count(*), count(*) FILTER (WHERE age(xmin) < age($1)) FROM ONLY ' || name
        INTO number, later USING mark;
END $$;
CREATE FUNCTION <SCHEMA>.is_changed() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM <SCHEMA>.commands) THEN RETURN false; END IF;
    IF (SELECT state FROM <SCHEMA>.schema) <> {SCHEMA} THEN RETURN true; END IF;
    DELETE FROM <SCHEMA>.commands WHERE is_noted;
    RETURN false;
END $$;
CREATE FUNCTION <SCHEMA>.has_later_rows(sequence oid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_depend d JOIN <SCHEMA>.tables t ON t.id = d.refobjid, <SCHEMA>.look(t.name, t.mark) l
        WHERE d.classid = 'pg_class'::regclass AND d.objid = sequence AND d.deptype IN ('a', 'i') AND l.later > 0);
END $$;
CREATE FUNCTION <SCHEMA>.set_sequences(between_tests boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setval(id, coalesce(value, start), value IS NOT NULL)
    FROM <SCHEMA>.sequences JOIN pg_sequence ON seqrelid = id  -- A wider fixture may have dropped it.
    WHERE pg_sequence_last_value(seqrelid) IS DISTINCT FROM value
        -- Rows of wider fixtures have taken those numbers.
        AND NOT (between_tests AND <SCHEMA>.has_later_rows(id));
END $$;
CREATE FUNCTION <SCHEMA>.restore() RETURNS boolean LANGUAGE plpgsql
    SET lock_timeout = '{PATIENCE}s' AS $$
DECLARE t record; found boolean; changed boolean; filled oid[];
BEGIN
    IF <SCHEMA>.is_changed() THEN RETURN false; END IF;
    FOR attempt IN 1..5 LOOP  -- Where triggers run, to clear one table may write to another.
        changed := false;
        SET CONSTRAINTS ALL DEFERRED;
        filled := ARRAY(SELECT id FROM <SCHEMA>.tables WHERE number > 0 OR pg_relation_size(id) > 0);
        -- Whoever has written and not committed yet has to come to an end first.
        FOR t IN SELECT * FROM <SCHEMA>.tables WHERE id = ANY (filled) LOOP
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE MODE', t.name);
        END LOOP;
        BEGIN
            FOR t IN SELECT * FROM <SCHEMA>.tables WHERE id = ANY (filled) AND number = 0 LOOP
                EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', t.name) INTO found;
                changed := changed OR found;
                IF pg_relation_size(t.id) > 524288 THEN
                    EXECUTE format('TRUNCATE %s CASCADE', t.name);
                ELSIF found THEN
                    EXECUTE 'DELETE FROM ONLY ' || t.name;
                END IF;
            END LOOP;
            SET CONSTRAINTS ALL IMMEDIATE;
            SET CONSTRAINTS ALL DEFERRED;
        EXCEPTION WHEN foreign_key_violation OR restrict_violation OR object_in_use THEN
            changed := true;
            EXECUTE (SELECT format('TRUNCATE %s CASCADE', string_agg(name, ', '))
                FROM <SCHEMA>.tables WHERE id = ANY (filled) AND number = 0);
        END;
        FOR t IN SELECT k.* FROM <SCHEMA>.tables k, <SCHEMA>.look(k.name, k.mark) l
            WHERE k.number > 0 AND (k.number <> l.number OR l.later > 0)
        LOOP
            changed := true;
            EXECUTE 'DELETE FROM ONLY ' || t.name;
            EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM <SCHEMA>.%I',
                t.name, t.columns, 'rows ' || t.id);
            UPDATE <SCHEMA>.tables SET mark = pg_current_xact_id()::xid WHERE id = t.id;
        END LOOP;
        SET CONSTRAINTS ALL IMMEDIATE;
        IF NOT changed OR current_setting('session_replication_role') = 'replica' THEN
            PERFORM <SCHEMA>.set_sequences(false);
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
CREATE FUNCTION <SCHEMA>.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO <SCHEMA>.commands VALUES (true);
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM <SCHEMA>.commands) THEN
        CREATE EVENT TRIGGER <SCHEMA> ON ddl_command_end EXECUTE FUNCTION <SCHEMA>.note();
        ALTER EVENT TRIGGER <SCHEMA> ENABLE ALWAYS;
    END IF;
END $$;
"""  # noqa: S608
# Notes each table that is not noted yet, and so all of them at first.
TAKE = f"""
DELETE FROM <SCHEMA>.tables k WHERE NOT EXISTS (SELECT FROM <SCHEMA>.tables_now n
    WHERE n.id = k.id AND n.name = k.name AND (k.number = 0 OR n.columns = k.columns));
INSERT INTO <SCHEMA>.tables SELECT id, name, columns, 0, pg_current_xact_id()::xid FROM <SCHEMA>.tables_now
    WHERE id NOT IN (SELECT id FROM <SCHEMA>.tables);
DELETE FROM <SCHEMA>.sequences WHERE id NOT IN (SELECT seqrelid FROM pg_sequence);
INSERT INTO <SCHEMA>.sequences
    SELECT c.oid, pg_sequence_last_value(c.oid), s.seqstart
    FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {OURS} AND c.oid NOT IN (SELECT id FROM <SCHEMA>.sequences);
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT k.id, k.name, l.number FROM <SCHEMA>.tables k, <SCHEMA>.look(k.name, k.mark) l
        WHERE k.mark = pg_current_xact_id()::xid AND pg_relation_size(k.id) > 0 AND l.number > 0
    LOOP
        UPDATE <SCHEMA>.tables SET number = t.number WHERE id = t.id;
        EXECUTE format('DROP TABLE IF EXISTS <SCHEMA>.%I', 'rows ' || t.id);
        EXECUTE format('CREATE TABLE <SCHEMA>.%I AS SELECT * FROM ONLY %s', 'rows ' || t.id, t.name);
    END LOOP;
END $$;
DELETE FROM <SCHEMA>.commands WHERE is_noted;
DELETE FROM <SCHEMA>.schema;
INSERT INTO <SCHEMA>.schema SELECT {SCHEMA};
"""  # noqa: S608
# Triggers and foreign keys are for those who write, where the role may say so. For the whole
# connection: where a function sets it, each call plans all its queries anew.
SILENCE = "SET session_replication_role = replica"
MAY_SILENCE_TRIGGERS = """
SELECT rolsuper AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgenabled IN ('A', 'R'))
    AND NOT EXISTS (SELECT FROM pg_rewrite WHERE ev_enabled IN ('A', 'R'))
FROM pg_roles WHERE rolname = current_user
"""
# What a new connection would have, without a new connection; prepared statements may stay.
RENEW = """
CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
DISCARD TEMP; DISCARD SEQUENCES
"""
HOLDERS = """
SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), 'a connection'), a.state, a.query
FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN <SCHEMA>.tables t ON t.id = l.relation
WHERE l.granted AND a.datname = current_database() AND a.pid <> pg_backend_pid()
"""
