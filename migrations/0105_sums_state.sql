-- SPDX-License-Identifier: Apache-2.0
-- How the sums are, for who watches the service: asked every half a minute, so it must cost next to nothing.

SET LOCAL ROLE spendlog_owner;

-- When the compactor came by last. Noted by a trigger, whatever the compactor looks like.
CREATE TABLE spendlog.sums_merged (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  merged_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE spendlog.sums_merged IS 'When deltas of the sums were merged last';
INSERT INTO spendlog.sums_merged DEFAULT VALUES;

CREATE FUNCTION spendlog.sums_merged_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE spendlog.sums_merged SET merged_at = clock_timestamp();
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION spendlog.sums_merged_note() FROM PUBLIC;
CREATE TRIGGER sums_merged_note AFTER INSERT OR UPDATE ON spendlog.sums_days
  FOR EACH STATEMENT EXECUTE FUNCTION spendlog.sums_merged_note();

-- Counted up to 100,000 deltas; above that PostgreSQL's own estimate.
CREATE FUNCTION spendlog.sums_state(OUT deltas bigint, OUT merged_age_us bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN d.counted < 100000 THEN d.counted
              ELSE greatest(d.counted, pg_stat_get_live_tuples('spendlog.spend_deltas'::regclass)) END,
    greatest(0, extract(epoch FROM clock_timestamp() - m.merged_at) * 1000000)::bigint
  FROM (SELECT count(*) AS counted FROM (SELECT FROM spendlog.spend_deltas LIMIT 100000) few) d
  CROSS JOIN spendlog.sums_merged m
$$;
COMMENT ON FUNCTION spendlog.sums_state() IS 'Deltas that are not merged yet (above 100,000: about so many), and microseconds since the compactor came by';
REVOKE ALL ON FUNCTION spendlog.sums_state() FROM PUBLIC;
GRANT SELECT ON spendlog.sums_merged TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT EXECUTE ON FUNCTION spendlog.sums_state() TO spendlog_writer, spendlog_repricer, spendlog_reader;
