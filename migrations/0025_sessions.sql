-- SPDX-License-Identifier: Apache-2.0
-- What a function of ours relies on and cannot set itself, it checks. A function's own settings (time
-- zone, date style, search path) stand at its head; the transaction's it finds as it is.

SET LOCAL ROLE spendlog_owner;

-- In an older snapshot a count is not of what the locks before it let through: rows that came meanwhile
-- would be dropped with their table. As a replica no trigger and no foreign key fires.
CREATE FUNCTION spendlog.session_expect() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text := (
    SELECT string_agg(format('%s is %s, it has to be %s', w.name, current_setting(w.name), w.value), '; ')
    FROM (VALUES ('transaction_isolation', 'read committed'), ('transaction_read_only', 'off'),
                 ('session_replication_role', 'origin')) AS w (name, value)
    WHERE current_setting(w.name) <> w.value);
BEGIN
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_transaction_state';
  END IF;
END
$$;
COMMENT ON FUNCTION spendlog.session_expect() IS 'Raises unless the transaction is one in which rows can be counted and changed exactly';

REVOKE ALL ON FUNCTION spendlog.session_expect() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.session_expect() TO spendlog_writer, spendlog_repricer;
