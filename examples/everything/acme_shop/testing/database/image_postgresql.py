"""PostgreSQL's image of a database: kept in a schema of the test database itself, and in a copy of it.

Tables that were empty are emptied, those that held rows are refilled where a transaction wrote to them
later, and the sequences are set back: one function, one round trip, on a separate connection. Where
that is not enough, since the test changed the schema, the database is cloned anew from the copy.
"""

import hashlib
from contextlib import suppress
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .. import compat
from .image import PATIENCE, DatabaseLocked

CATALOGUE = {
    "attribute": "attnum > 0 AND attrelid", "constraint": "oid", "trigger": "oid", "proc": "oid", "type": "oid",
    "rewrite": "oid", "sequence": "seqrelid", "enum": "oid", "policy": "oid",
}  # fmt: skip
# Changes with each change of the schema, and with nothing else. A superuser has an event trigger note each
# command that may have changed it, so that this is compared after such a test alone.
SCHEMA = " || ';' || ".join(
    f"(SELECT concat(count(*), ' ', max(xmin::text::bigint)) FROM pg_{table} WHERE {oid} >= 16384)"  # noqa: S608
    for table, oid in CATALOGUE.items()
)
OURS = (
    "n.nspname !~ '^testing_pristine' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
)
TAKE = f"""
DROP SCHEMA IF EXISTS <SCHEMA> CASCADE;
CREATE SCHEMA <SCHEMA>;
CREATE TABLE <SCHEMA>.tables AS
    SELECT c.oid AS id, format('%I.%I', n.nspname, c.relname) AS name, '' AS columns,
        0::bigint AS number, pg_current_xact_id()::xid AS mark
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {OURS} AND NOT EXISTS (
        SELECT FROM pg_depend d  -- Tables of an extension.
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
CREATE TABLE <SCHEMA>.sequences AS
    SELECT c.oid AS id, pg_sequence_last_value(c.oid) AS value, s.seqstart AS start
    FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {OURS};
CREATE TABLE <SCHEMA>.schema (state text);
CREATE TABLE <SCHEMA>.commands AS
    SELECT false AS is_noted FROM pg_roles WHERE rolname = current_user AND NOT rolsuper;
CREATE FUNCTION <SCHEMA>.look(name text, mark xid, OUT number bigint, OUT later bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT count(*), count(*) FILTER (WHERE age(xmin) < age($1)) FROM ONLY ' || name
        INTO number, later USING mark;
END $$;
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT k.id, k.name, l.number FROM <SCHEMA>.tables k, <SCHEMA>.look(k.name, k.mark) l
        WHERE pg_relation_size(k.id) > 0 AND l.number > 0
    LOOP
        UPDATE <SCHEMA>.tables SET number = t.number, columns = (
            SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = t.id AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ) WHERE id = t.id;
        EXECUTE format('CREATE TABLE <SCHEMA>.%I AS SELECT * FROM ONLY %s', 'rows ' || t.id, t.name);
    END LOOP;
END $$;
CREATE FUNCTION <SCHEMA>.set_sequences() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setval(id, coalesce(value, start), value IS NOT NULL) FROM <SCHEMA>.sequences
    WHERE pg_sequence_last_value(id) IS DISTINCT FROM value;
END $$;
CREATE FUNCTION <SCHEMA>.restore() RETURNS boolean LANGUAGE plpgsql
    SET lock_timeout = '{PATIENCE}s' AS $$
DECLARE t record; found boolean; changed boolean; filled oid[];
BEGIN
    IF EXISTS (SELECT FROM <SCHEMA>.commands) THEN
        IF (SELECT state FROM <SCHEMA>.schema) <> {SCHEMA} THEN RETURN false; END IF;
        DELETE FROM <SCHEMA>.commands WHERE is_noted;
    END IF;
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
            PERFORM <SCHEMA>.set_sequences();
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


def renewed(connection: BaseDatabaseWrapper) -> bool:
    """Whether an open connection could be made as good as a new one, which costs 5 ms of CPU."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    idle = connection.connection.info.transaction_status == 0 and not connection.in_atomic_block
    if not idle or connection.errors_occurred or not connection.get_autocommit():
        return False
    try:
        with connection.connection.cursor() as cursor:
            cursor.execute(RENEW)
        connection.run_on_commit = []
        connection.init_connection_state()
    except Exception:  # Closed by either side.
        return False
    return True


class PostgreSQLImage:
    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection, self.copied = connection, set[int]()
        self.silent: list[bool] = []
        self.own = connection.copy()  # It stays open, since a new one loads the catalogue anew.
        self.own.inc_thread_sharing()

    @staticmethod
    def is_allowed(connection: BaseDatabaseWrapper) -> bool:
        """Whether the role may create a schema; it may, as the owner of the database."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT has_database_privilege(current_database(), 'CREATE')")
            return cursor.fetchone()[0]

    @property
    def depth(self) -> int:
        return len(self.silent)

    @property
    def schema(self) -> str:
        return f"testing_pristine_{self.depth}"

    @property
    def copy(self) -> str:
        """The database that a changed schema is cloned from; a name of ours, of any test database's."""
        name = f"{self.connection.settings_dict['NAME']} {self.depth}".encode()
        return f"testing_pristine_{hashlib.blake2b(name, digest_size=8).hexdigest()}"

    def take(self) -> None:
        self.silent.append(self.query(MAY_SILENCE_TRIGGERS)[0][0])
        self.own.close()  # The next one is as silent as it may be.
        self.query(TAKE.replace("<SCHEMA>", self.schema))
        # The role may not, or a connection is open: then the schema is not undone.
        with suppress(Error):
            self.clone(str(self.connection.settings_dict["NAME"]), self.copy)
            self.copied.add(self.depth)

    def drop(self) -> None:
        with suppress(Error):
            self.query(f"DROP SCHEMA {self.schema} CASCADE")
        if self.depth in self.copied:
            self.copied.remove(self.depth)
            with suppress(Error), compat.server_cursor(self.connection) as cursor:
                cursor.execute(f"DROP DATABASE {self.copy}")
        self.silent.pop()
        self.own.close()

    def restore(self) -> bool:
        try:
            restored = self.query(f"SELECT {self.schema}.restore()")[0][0]
        except Error as error:
            if getattr(error.__cause__, "sqlstate", None) == "55P03":  # lock_not_available
                raise self.locked() from None
            restored = False  # A trigger or a constraint refused.
        if not restored and self.depth in self.copied:
            self.clone(self.copy, str(self.connection.settings_dict["NAME"]))
            return True
        return restored

    def sequences(self) -> None:
        self.query(f"SELECT {self.schema}.set_sequences()")

    def clone(self, source: str, target: str) -> None:
        self.close()
        quote = self.connection.ops.quote_name
        with compat.server_cursor(self.connection) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {quote(target)} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {quote(target)} TEMPLATE {quote(source)}")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        new = self.own.connection is None
        with self.own.cursor() as cursor:
            if new and self.silent and self.silent[-1]:
                cursor.execute(SILENCE)
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def locked(self) -> DatabaseLocked:
        """Name who holds the locks, and end their connections, or the next test would wait too."""
        holders = self.query(HOLDERS.replace("<SCHEMA>", self.schema))
        with suppress(Error):
            for process, *_ in holders:
                self.query(f"SELECT pg_terminate_backend({process})")
            self.query(f"SELECT {self.schema}.restore()")
        text = ", ".join(
            f"{name} (process {process}, {state}: {query})"
            for process, name, state, query in holders
        )
        return DatabaseLocked(self.connection.alias, text or "a connection that is closed now")

    def close(self) -> None:
        """Or the database could not be cloned or dropped."""
        name = self.connection.settings_dict["NAME"]
        for connection in [self.own, *connections.all(initialized_only=True)]:
            if connection.settings_dict["NAME"] == name and connection.vendor == "postgresql":
                connection.inc_thread_sharing()
                connection.close()
                getattr(connection, "close_pool", bool)()  # Since Django 5.1.
                connection.dec_thread_sharing()
