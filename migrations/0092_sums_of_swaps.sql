-- SPDX-License-Identifier: Apache-2.0
-- As in 0090, and the sums of a rewritten day change with it.

SET LOCAL ROLE spendlog_owner;

CREATE OR REPLACE FUNCTION spendlog.swap_partition(day date) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
SET lock_timeout = '500ms'
AS $$
DECLARE
  leaf text := spendlog.partition_name(day);
  shadow text := spendlog.shadow_name(day);
  index_name text;
  known spendlog.reprice_shadows;
  now_xid bigint;
  oldest integer; -- age of the oldest transaction that the snapshot may not see
  digest text := 'SELECT count(*), bit_xor(s.content_hash # (s.kafka_offset << 17) # s.record_index '
                 '# uuid_hash_extended(s.identity, 1) # timestamp_hash_extended(s.start_time, 2) '
                 '# hashtextextended(s.team_id, 3) # hashtextextended(s.user_id, 4) '
                 '# hashtextextended(coalesce(s.model, ''''), 5)) FROM (%s) s';
  present bigint;
  present_digest bigint;
  copied bigint;
  copied_digest bigint;
  late bigint;
BEGIN
  PERFORM spendlog.session_expect();
  PERFORM spendlog.day_expect_claimed(day, true);
  SELECT * INTO STRICT known FROM spendlog.reprice_shadows r WHERE r.day = swap_partition.day FOR UPDATE;
  IF known.taken_in IS DISTINCT FROM pg_current_xact_id() THEN
    RAISE EXCEPTION 'the adjustments of % are not in the books: staged_take() first', day
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  EXECUTE format('LOCK TABLE spendlog.%I IN SHARE ROW EXCLUSIVE MODE', leaf);

  now_xid := pg_current_xact_id()::text::bigint;
  oldest := least(now_xid - pg_snapshot_xmin(known.snapshot)::text::bigint, 2000000000);
  EXECUTE format('INSERT INTO spendlog.%I SELECT s.* FROM spendlog.%I s WHERE age(s.xmin) <= $1 '
                 'AND NOT pg_visible_in_snapshot(($2 - age(s.xmin))::text::xid8, $3)', shadow, leaf)
    USING oldest, now_xid, known.snapshot;
  GET DIAGNOSTICS late = ROW_COUNT;
  EXECUTE format(digest, spendlog.rows_of(leaf)) INTO present, present_digest;
  EXECUTE format(digest, spendlog.rows_of(shadow)) INTO copied, copied_digest;
  IF present <> copied OR present_digest IS DISTINCT FROM copied_digest OR copied <> known.filled_rows + late THEN
    RAISE EXCEPTION '% holds % rows (digest %), the copy % and % late ones (digest %)', leaf, present,
      present_digest, known.filled_rows, late, copied_digest USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;

  PERFORM spendlog.sums_audit('spendlog.' || spendlog.staged_name(day), day::timestamp,
                              day + interval '1 day' - interval '1 microsecond', true);
  LOCK TABLE spendlog.stored_rows IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('ALTER TABLE spendlog.stored_rows DETACH PARTITION spendlog.%I', leaf);
  EXECUTE format('ALTER TABLE spendlog.stored_rows ATTACH PARTITION spendlog.%I '
                 'FOR VALUES FROM (%L) TO (%L)', shadow, day::timestamp, (day + 1)::timestamp);
  EXECUTE format('DROP TABLE spendlog.%I, spendlog.%I', leaf, spendlog.staged_name(day));
  EXECUTE format('ALTER TABLE spendlog.%I DROP CONSTRAINT shadow_bounds', shadow);
  EXECUTE format('ALTER TABLE spendlog.%I RENAME TO %I', shadow, leaf);
  FOR index_name IN
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ('spendlog.' || quote_ident(leaf))::regclass
      AND starts_with(c.relname, shadow)
  LOOP
    EXECUTE format('ALTER INDEX spendlog.%I RENAME TO %I', index_name,
                   leaf || substr(index_name, length(shadow) + 1));
  END LOOP;
  DELETE FROM spendlog.reprice_shadows r WHERE r.day = swap_partition.day;
  RETURN late;
END
$$;
