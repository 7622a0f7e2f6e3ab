-- SPDX-License-Identifier: Apache-2.0
-- LiteLLM's own names (schema.prisma of LiteLLM 1.110.2), so that statements written for its database run on ours:
-- SET search_path = litellm. Money stays numeric. LiteLLM knows no missing price: what has none is 0 here, and
-- x_spend_unknown or x_unpriced_requests beside it says so. Prompts and answers are not kept.
-- The daily tables and the views of LiteLLM's code (proxy/db/create_views.py) answer from the sums: corrections
-- posted for a closed month and days whose rows were dropped are in them, in LiteLLM_SpendLogs they are not.

SET LOCAL ROLE spendlog_owner;

DROP VIEW litellm."LiteLLM_SpendLogs", litellm."LiteLLM_DailyUserSpend", litellm."LiteLLM_DailyTeamSpend",
  litellm."LiteLLM_DailyOrganizationSpend", litellm."LiteLLM_DailyEndUserSpend", litellm."LiteLLM_DailyTagSpend";

-- --- words

-- A proxy calls everything asynchronously; where each of its words leads is ROUTE_ENDPOINT_MAPPING
-- (proxy/route_llm_request.py). What is not here is LiteLLM's own word already, or nobody's.
CREATE FUNCTION spendlog.litellm_call_type(call_type text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE call_type
  WHEN 'chat' THEN 'acompletion' WHEN 'completion' THEN 'atext_completion' WHEN 'responses' THEN 'aresponses'
  WHEN 'embedding' THEN 'aembedding' WHEN 'rerank' THEN 'arerank' WHEN 'image' THEN 'aimage_generation'
  WHEN 'transcription' THEN 'atranscription' WHEN 'speech' THEN 'aspeech' WHEN 'moderation' THEN 'amoderation'
  WHEN 'video' THEN 'avideo_generation' WHEN 'ocr' THEN 'aocr' WHEN 'search' THEN 'asearch'
  WHEN 'messages' THEN 'anthropic_messages' WHEN 'realtime' THEN '_arealtime' WHEN 'batch' THEN 'aretrieve_batch'
  ELSE coalesce(call_type, '') END;
COMMENT ON FUNCTION spendlog.litellm_call_type(text) IS 'LiteLLM''s word for a call_type of spend_logs';

CREATE FUNCTION spendlog.litellm_endpoint(litellm_call_type text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE litellm_call_type
  WHEN 'acompletion' THEN '/chat/completions' WHEN 'atext_completion' THEN '/completions'
  WHEN 'aembedding' THEN '/embeddings' WHEN 'aimage_generation' THEN '/image/generations'
  WHEN 'aspeech' THEN '/audio/speech' WHEN 'atranscription' THEN '/audio/transcriptions'
  WHEN 'amoderation' THEN '/moderations' WHEN 'arerank' THEN '/rerank' WHEN 'aresponses' THEN '/responses'
  WHEN '_aresponses_websocket' THEN '/responses' WHEN 'alist_input_items' THEN '/responses/{response_id}/input_items'
  WHEN 'aimage_edit' THEN '/images/edits' WHEN 'acancel_responses' THEN '/responses/{response_id}/cancel'
  WHEN 'acompact_responses' THEN '/responses/compact' WHEN 'aocr' THEN '/ocr' WHEN 'asearch' THEN '/search'
  WHEN 'adecisions' THEN '/decisions' WHEN 'asystemone' THEN '/systemone' WHEN 'aextraction' THEN '/extraction'
  WHEN 'avideo_generation' THEN '/videos' WHEN 'avideo_list' THEN '/videos' WHEN 'avideo_status' THEN '/videos/{video_id}'
  WHEN 'avideo_content' THEN '/videos/{video_id}/content' WHEN 'avideo_remix' THEN '/videos/{video_id}/remix'
  WHEN 'avideo_create_character' THEN '/videos/characters'
  WHEN 'avideo_get_character' THEN '/videos/characters/{character_id}' WHEN 'avideo_edit' THEN '/videos/edits'
  WHEN 'avideo_extension' THEN '/videos/extensions'
  WHEN 'acreate_realtime_client_secret' THEN '/realtime/client_secrets' WHEN 'arealtime_calls' THEN '/realtime/calls'
  WHEN 'acreate_realtime_transcription_session' THEN '/realtime/transcription_sessions'
  WHEN 'acreate_container' THEN '/containers' WHEN 'alist_containers' THEN '/containers'
  WHEN 'aretrieve_container' THEN '/containers/{container_id}' WHEN 'adelete_container' THEN '/containers/{container_id}'
  WHEN 'aupload_container_file' THEN '/containers/{container_id}/files'
  WHEN 'alist_container_files' THEN '/containers/{container_id}/files'
  WHEN 'aretrieve_container_file' THEN '/containers/{container_id}/files/{file_id}'
  WHEN 'adelete_container_file' THEN '/containers/{container_id}/files/{file_id}'
  WHEN 'aretrieve_container_file_content' THEN '/containers/{container_id}/files/{file_id}/content'
  WHEN 'acreate_skill' THEN '/skills' WHEN 'alist_skills' THEN '/skills' WHEN 'aget_skill' THEN '/skills/{skill_id}'
  WHEN 'adelete_skill' THEN '/skills/{skill_id}' WHEN 'aingest' THEN '/rag/ingest'
  WHEN 'acreate_interaction' THEN '/interactions' WHEN 'aget_interaction' THEN '/interactions/{interaction_id}'
  WHEN 'adelete_interaction' THEN '/interactions/{interaction_id}'
  WHEN 'acancel_interaction' THEN '/interactions/{interaction_id}/cancel'
  WHEN 'acreate_agent' THEN '/v1beta/agents' WHEN 'alist_agents' THEN '/v1beta/agents'
  WHEN 'aget_agent' THEN '/v1beta/agents/{name}' WHEN 'adelete_agent' THEN '/v1beta/agents/{name}'
  WHEN 'alist_agent_versions' THEN '/v1beta/agents/{name}/versions' WHEN 'acreate_eval' THEN '/evals'
  WHEN 'alist_evals' THEN '/evals' WHEN 'aget_eval' THEN '/evals/{eval_id}' WHEN 'aupdate_eval' THEN '/evals/{eval_id}'
  WHEN 'adelete_eval' THEN '/evals/{eval_id}' WHEN 'acancel_eval' THEN '/evals/{eval_id}/cancel'
  WHEN 'acreate_run' THEN '/evals/{eval_id}/runs' WHEN 'alist_runs' THEN '/evals/{eval_id}/runs'
  WHEN 'aget_run' THEN '/evals/{eval_id}/runs/{run_id}' WHEN 'acancel_run' THEN '/evals/{eval_id}/runs/{run_id}/cancel'
  WHEN 'adelete_run' THEN '/evals/{eval_id}/runs/{run_id}' WHEN 'acreate_batch' THEN '/batches'
  WHEN 'aretrieve_batch' THEN '/batches' ELSE '' END;
COMMENT ON FUNCTION spendlog.litellm_endpoint(text) IS 'Where LiteLLM says that calls of a call type went; empty: nowhere';

-- LiteLLM's days are texts. This form is immutable, so that an index helps whoever compares them.
CREATE FUNCTION spendlog.litellm_date(day date) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lpad(extract(year FROM day)::text, 4, '0') || '-' || lpad(extract(month FROM day)::text, 2, '0') || '-'
  || lpad(extract(day FROM day)::text, 2, '0');
COMMENT ON FUNCTION spendlog.litellm_date(date) IS 'YYYY-MM-DD';
CREATE INDEX spend_days_litellm_brin ON spendlog.spend_days USING brin (spendlog.litellm_date(day))
  WITH (pages_per_range = 32, autosummarize = on);

-- --- calls

CREATE VIEW litellm."LiteLLM_SpendLogs" WITH (security_invoker = true) AS
SELECT
  coalesce(nullif(l.request_id, ''), l.identity::text) AS request_id,
  spendlog.litellm_call_type(l.call_type) AS call_type,
  l.api_key,
  coalesce(l.spend, 0) AS spend,
  coalesce(l.total_tokens, coalesce(l.input_tokens, 0)::numeric + coalesce(l.output_tokens, 0)) AS total_tokens,
  coalesce(l.input_tokens, 0) AS prompt_tokens,
  coalesce(l.output_tokens, 0) AS completion_tokens,
  l.start_time AS "startTime",
  coalesce(l.end_time, l.start_time) AS "endTime",
  trunc(extract(epoch FROM l.end_time - l.start_time) * 1000)::bigint AS request_duration_ms,
  l.first_token_time AS "completionStartTime",
  coalesce(l.model, '') AS model,
  coalesce(l.model_id, '') AS model_id,
  coalesce(l.model_group, '') AS model_group,
  coalesce(l.provider, '') AS custom_llm_provider,
  coalesce(l.usage ->> 'api_host', '') AS api_base,
  l.user_id AS "user",
  jsonb_build_object('status', l.status, 'user_api_key', nullif(l.api_key, ''),
    'user_api_key_alias', nullif(l.api_key_alias, ''), 'user_api_key_user_id', nullif(l.user_id, ''),
    'user_api_key_team_id', nullif(l.team_id, ''), 'user_api_key_team_alias', nullif(l.team_alias, ''),
    'user_api_key_org_id', nullif(l.organization_id, ''), 'requester_ip_address', nullif(l.requester_ip, ''),
    'spend_logs_metadata', l.metadata, 'usage_object', jsonb_build_object('prompt_tokens', l.input_tokens,
      'completion_tokens', l.output_tokens, 'total_tokens', l.total_tokens, 'cache_read_input_tokens', l.cache_read_tokens,
      'cache_creation_input_tokens', l.cache_write_tokens, 'completion_tokens_details',
      jsonb_build_object('reasoning_tokens', l.reasoning_tokens)), 'error_information', CASE WHEN l.status = 'failure' THEN
      jsonb_build_object('error_code', l.status_code::text, 'error_class', nullif(l.error_class, '')) END)
    AS metadata,
  CASE WHEN l.cache_hit THEN 'True' WHEN NOT l.cache_hit THEN 'False' ELSE 'None' END AS cache_hit,
  '' AS cache_key,
  to_jsonb(l.request_tags) AS request_tags,
  l.team_id,
  l.organization_id,
  l.end_user,
  nullif(l.requester_ip, '') AS requester_ip_address,
  '{}'::jsonb AS messages,
  '{}'::jsonb AS response,
  nullif(l.session_id, '') AS session_id,
  l.status,
  l.metadata ->> 'mcp_namespaced_tool_name' AS mcp_namespaced_tool_name,
  l.metadata ->> 'billing_agent_id' AS billing_agent_id,
  l.metadata ->> 'agent_id' AS agent_id,
  '{}'::jsonb AS proxy_server_request,
  nullif(l.call_id, '') AS litellm_call_id,
  coalesce((SELECT b.written_at FROM spendlog.ingest_batches b WHERE b.batch_id = l.batch_id), l.end_time,
           l.start_time) AS created_at,
  coalesce((SELECT max(a.adjusted_at) FROM spendlog.spend_adjustments a
            WHERE a.start_time = l.start_time AND a.identity = l.identity),
           (SELECT b.written_at FROM spendlog.ingest_batches b WHERE b.batch_id = l.batch_id), l.end_time,
           l.start_time) AS updated_at,
  l.spend IS NULL AS x_spend_unknown
FROM spendlog.counted_logs l;
COMMENT ON VIEW litellm."LiteLLM_SpendLogs" IS
  'spendlog.counted_logs under LiteLLM''s names; times in UTC, spend in US dollars, 0 where no price is known: then x_spend_unknown';
COMMENT ON COLUMN litellm."LiteLLM_SpendLogs".spend IS 'US dollars, exact; 0 where no price is known, which x_spend_unknown tells';
COMMENT ON COLUMN litellm."LiteLLM_SpendLogs".x_spend_unknown IS 'no price is known: spend_logs.spend is NULL (not a column of LiteLLM)';
COMMENT ON COLUMN litellm."LiteLLM_SpendLogs".call_type IS 'in LiteLLM''s words; whether a call was synchronous is not kept';
COMMENT ON COLUMN litellm."LiteLLM_SpendLogs".metadata IS
  'what the row knows, under LiteLLM''s names, null where it is absent; the operator''s own members are in spend_logs_metadata';
COMMENT ON COLUMN litellm."LiteLLM_SpendLogs".agent_id IS
  'the member agent_id of metadata, likewise billing_agent_id and mcp_namespaced_tool_name';
COMMENT ON COLUMN litellm."LiteLLM_SpendLogs".created_at IS 'when the row was written, UTC';
COMMENT ON COLUMN litellm."LiteLLM_SpendLogs".updated_at IS 'when it was priced last, UTC';

-- --- days

-- LiteLLM's daily tables differ in whom they attribute spend to, and in nothing else. Its writer counts nobody for
-- a user, a team or an organization as '', and leaves out who has no end user, no tag, no agent. An end user '' here is
-- all those whom the sums of a day do not tell apart.
DO $$
DECLARE
  -- what the sums do not have
  nothing text := '0::bigint AS compression_saved_tokens, 0::numeric AS compression_savings_spend, '
    '0::numeric AS prompt_caching_savings_spend, 0::numeric AS gateway_injected_caching_savings_spend, '
    '0::numeric AS autorouter_savings_spend';
  words text := 's.day, s.api_key, s.model, s.model_group, s.provider, s.call_type';
  figures text := 'coalesce(sum(s.input_tokens), 0) AS prompt_tokens, coalesce(sum(s.output_tokens), 0) AS completion_tokens, '
    'coalesce(sum(s.cache_read_tokens), 0) AS cache_read_input_tokens, '
    'coalesce(sum(s.cache_write_tokens), 0) AS cache_creation_input_tokens, coalesce(sum(s.spend), 0) AS spend, '
    'sum(s.calls)::bigint AS api_requests, coalesce(sum(s.calls) FILTER (WHERE s.status <> ''failure''), 0)::bigint '
    'AS successful_requests, coalesce(sum(s.calls) FILTER (WHERE s.status = ''failure''), 0)::bigint AS failed_requests, '
    'trunc(coalesce(sum(s.duration_us) FILTER (WHERE s.status <> ''failure''), 0) / 1000) AS total_response_time_ms, '
    'coalesce(sum(s.timed_calls) FILTER (WHERE s.status <> ''failure''), 0)::bigint AS timed_requests, '
    'coalesce(sum(s.calls) FILTER (WHERE s.pricing_status = ''unpriced''), 0)::bigint AS x_unpriced_requests';
  daily record;
BEGIN
  FOR daily IN
    SELECT * FROM (VALUES
      ('LiteLLM_DailyUserSpend', 'user_id', 's.user_id', 'all', 'true', ''),
      ('LiteLLM_DailyTeamSpend', 'team_id', 's.team_id', 'all', 'true', '0::numeric AS ptu_flat_cost, '),
      ('LiteLLM_DailyOrganizationSpend', 'organization_id', 's.organization_id', 'all', 'true', ''),
      ('LiteLLM_DailyEndUserSpend', 'end_user_id', 's.label', 'end_user', 'true', ''),
      ('LiteLLM_DailyTagSpend', 'tag', 's.label', 'tag', 'true', 'NULL::text AS request_id, '))
      AS d (name, of_whom, from_what, level, condition, own)
  LOOP
    EXECUTE format($view$
      CREATE VIEW litellm.%1$I WITH (security_invoker = true) AS
      SELECT md5(concat_ws('|', d.whom, spendlog.litellm_date(d.day), d.api_key, d.model, d.model_group, d.provider, d.call_type)) AS id,
        d.whom AS %2$I, spendlog.litellm_date(d.day) AS date, d.api_key, d.model, d.model_group,
        d.provider AS custom_llm_provider, ''::text AS mcp_namespaced_tool_name,
        spendlog.litellm_endpoint(spendlog.litellm_call_type(d.call_type)) AS endpoint, d.prompt_tokens,
        d.completion_tokens, d.cache_read_input_tokens, d.cache_creation_input_tokens, %7$s, d.spend,
        d.api_requests, d.successful_requests, d.failed_requests, d.total_response_time_ms, d.timed_requests, %6$s
        d.day::timestamp AS created_at, least(d.day + interval '1 day', now() AT TIME ZONE 'UTC') AS updated_at,
        d.x_unpriced_requests
      FROM (
        SELECT %3$s AS whom, %8$s, %9$s
        FROM spendlog.spend_sums s
        WHERE s.grain IN ('delta', 'day') AND s.level = %4$L AND %5$s
        GROUP BY %3$s, %8$s
        HAVING sum(s.entries) <> 0 OR sum(s.spend) <> 0) d
      $view$, daily.name, daily.of_whom, daily.from_what, daily.level, daily.condition, daily.own, nothing, words,
      figures);
    EXECUTE format('COMMENT ON VIEW litellm.%I IS %L', daily.name,
      'From the sums; days are UTC, spend in US dollars, without what has no price: x_unpriced_requests counts it');
  END LOOP;

  COMMENT ON COLUMN litellm."LiteLLM_DailyEndUserSpend".end_user_id IS 'empty: of end users that the sums of the day do not tell apart';

  EXECUTE format($view$
    CREATE VIEW litellm."LiteLLM_DailyGlobalSpend" WITH (security_invoker = true) AS
    SELECT md5(concat_ws('|', spendlog.litellm_date(d.day), d.model, d.model_group, d.provider, d.call_type)) AS id,
      spendlog.litellm_date(d.day) AS date, d.model, d.model_group, d.provider AS custom_llm_provider,
      ''::text AS mcp_namespaced_tool_name,
      spendlog.litellm_endpoint(spendlog.litellm_call_type(d.call_type)) AS endpoint, d.prompt_tokens,
      d.completion_tokens, d.cache_read_input_tokens, d.cache_creation_input_tokens, %1$s, d.spend, d.api_requests,
      d.successful_requests, d.failed_requests, d.total_response_time_ms, d.timed_requests,
      d.day::timestamp AS created_at, least(d.day + interval '1 day', now() AT TIME ZONE 'UTC') AS updated_at,
      d.x_unpriced_requests
    FROM (
      SELECT s.day, s.model, s.model_group, s.provider, s.call_type, %2$s
      FROM spendlog.spend_sums s
      WHERE s.grain IN ('delta', 'day') AND s.level = 'all'
      GROUP BY 1, 2, 3, 4, 5
      HAVING sum(s.entries) <> 0) d
    $view$, nothing, figures);

  -- Agents are in the rows alone: the member agent_id of metadata. What was posted for a closed month counts as in the sums.
  EXECUTE format($view$
    CREATE VIEW litellm."LiteLLM_DailyAgentSpend" WITH (security_invoker = true) AS
    SELECT md5(concat_ws('|', l.agent_id, spendlog.litellm_date(l.day), l.api_key, l.model, l.model_group, l.provider, l.call_type)) AS id,
      l.agent_id, spendlog.litellm_date(l.day) AS date, l.api_key, l.model, l.model_group,
      l.provider AS custom_llm_provider, ''::text AS mcp_namespaced_tool_name,
      spendlog.litellm_endpoint(spendlog.litellm_call_type(l.call_type)) AS endpoint,
      coalesce(sum(l.input_tokens), 0) AS prompt_tokens, coalesce(sum(l.output_tokens), 0) AS completion_tokens,
      coalesce(sum(l.cache_read_tokens), 0) AS cache_read_input_tokens,
      coalesce(sum(l.cache_write_tokens), 0) AS cache_creation_input_tokens, %s, coalesce(sum(l.spend), 0) AS spend,
      sum(l.calls) AS api_requests, coalesce(sum(l.calls) FILTER (WHERE l.status IS DISTINCT FROM 'failure'), 0) AS successful_requests,
      coalesce(sum(l.calls) FILTER (WHERE l.status = 'failure'), 0) AS failed_requests,
      coalesce(sum(l.ms) FILTER (WHERE l.status IS DISTINCT FROM 'failure'), 0) AS total_response_time_ms,
      count(l.ms) FILTER (WHERE l.status IS DISTINCT FROM 'failure') AS timed_requests,
      min(l.at) AS created_at, max(l.at) AS updated_at,
      coalesce(sum(l.calls) FILTER (WHERE l.spend IS NULL), 0) AS x_unpriced_requests
    FROM (
      SELECT c.metadata ->> 'agent_id' AS agent_id, e.at::date AS day, e.at, e.calls, c.api_key,
        coalesce(c.model, '') AS model, coalesce(c.model_group, '') AS model_group, coalesce(c.provider, '') AS provider,
        coalesce(c.call_type, '') AS call_type, e.calls * c.input_tokens AS input_tokens, e.calls * c.output_tokens AS output_tokens,
        e.calls * c.cache_read_tokens AS cache_read_tokens, e.calls * c.cache_write_tokens AS cache_write_tokens,
        e.spend, c.status, CASE e.calls WHEN 1 THEN trunc(extract(epoch FROM c.end_time - c.start_time) * 1000) END AS ms
      FROM spendlog.counted_logs c
      CROSS JOIN LATERAL (
        SELECT c.start_time AS at, 1 AS calls, c.spend
        UNION ALL
        SELECT a.posted_on::timestamp, 0, coalesce(a.new_spend, 0) - coalesce(a.old_spend, 0) FROM spendlog.spend_adjustments a
        WHERE a.kind = 'posted' AND a.start_time = c.start_time AND a.identity = c.identity) e
      WHERE c.metadata ->> 'agent_id' <> '') l
    GROUP BY l.agent_id, l.day, l.api_key, l.model, l.model_group, l.provider, l.call_type
    $view$, nothing);
END
$$;
COMMENT ON VIEW litellm."LiteLLM_DailyGlobalSpend" IS
  'From the sums; days are UTC, spend in US dollars, without what has no price: x_unpriced_requests counts it';
COMMENT ON VIEW litellm."LiteLLM_DailyAgentSpend" IS
  'From the rows that have a member agent_id in metadata, and what was posted for them; not of days whose rows were dropped. Name a range of startTime in LiteLLM_SpendLogs instead where there are many';

-- The task, which LiteLLM finds in a tag task:NAME, is not in the sums: the default of its writer.
CREATE VIEW litellm."LiteLLM_DailyModelUsage" WITH (security_invoker = true) AS
SELECT spendlog.litellm_date(d.day) AS date, coalesce(nullif(d.model_group, ''), nullif(d.model, ''), 'unknown') AS model_group,
  coalesce(nullif(d.model, ''), 'unknown') AS model, coalesce(nullif(d.provider, ''), 'unknown') AS custom_llm_provider,
  'uncategorized'::text AS task_type, d.spend, d.prompt_tokens, d.completion_tokens, d.request_count, d.successful_requests,
  d.request_count - d.successful_requests AS failed_requests, d.day::timestamp AS created_at,
  least(d.day + interval '1 day', now() AT TIME ZONE 'UTC') AS updated_at
FROM (
  SELECT s.day, s.model_group, s.model, s.provider, coalesce(sum(s.spend), 0) AS spend,
    coalesce(sum(s.input_tokens), 0) AS prompt_tokens, coalesce(sum(s.output_tokens), 0) AS completion_tokens,
    sum(s.calls)::bigint AS request_count,
    coalesce(sum(s.calls) FILTER (WHERE s.status = 'success'), 0)::bigint AS successful_requests
  FROM spendlog.spend_sums s
  WHERE s.grain IN ('delta', 'day') AND s.level = 'all'
  GROUP BY 1, 2, 3, 4
  HAVING sum(s.entries) <> 0) d;
COMMENT ON VIEW litellm."LiteLLM_DailyModelUsage" IS 'From the sums; days are UTC, spend in US dollars';

-- The tools of a call are in no event.
CREATE VIEW litellm."LiteLLM_DailyToolSpend" WITH (security_invoker = true) AS
SELECT ''::text AS date, ''::text AS tool_name, 0::numeric AS spend, 0::bigint AS total_tokens, 0::bigint AS request_count,
  NULL::timestamp AS created_at, NULL::timestamp AS updated_at
WHERE false;
COMMENT ON VIEW litellm."LiteLLM_DailyToolSpend" IS 'Empty: no event says which tools a call used';

-- --- who is who: as far as rows and sums name them, for the statements that join them

CREATE VIEW litellm."LiteLLM_VerificationToken" WITH (security_invoker = true) AS
SELECT DISTINCT ON (k.api_key) k.api_key AS token, NULL::text AS key_name, nullif(k.api_key_alias, '') AS key_alias,
  (SELECT coalesce(sum(s.spend), 0) FROM spendlog.spend_sums s
   WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.api_key = k.api_key) AS spend,
  nullif(k.user_id, '') AS user_id, nullif(k.team_id, '') AS team_id, nullif(k.organization_id, '') AS organization_id
FROM (
  SELECT c.api_key, c.api_key_alias, c.user_id, c.team_id, c.organization_id FROM spendlog.shared_callers c
  UNION ALL
  SELECT w.api_key, w.api_key_alias, w.user_id, w.team_id, w.organization_id FROM spendlog.stored_sums w
  WHERE w.call_no IS NULL AND w.about & 1 <> 0 AND w.grain IN ('delta', 'day')) k
WHERE k.api_key <> ''
ORDER BY k.api_key, k.api_key_alias DESC, k.user_id DESC, k.team_id DESC, k.organization_id DESC;
COMMENT ON VIEW litellm."LiteLLM_VerificationToken" IS 'Keys as calls name them; one that had several aliases, users or teams has the last by name';

CREATE VIEW litellm."LiteLLM_DeletedVerificationToken" WITH (security_invoker = true) AS
SELECT ''::text AS token, NULL::text AS key_name, NULL::text AS key_alias, NULL::text AS user_id, NULL::text AS team_id,
  NULL::text AS organization_id, NULL::timestamp AS deleted_at
WHERE false;
COMMENT ON VIEW litellm."LiteLLM_DeletedVerificationToken" IS 'Empty: no event says that a key was deleted';

CREATE VIEW litellm."LiteLLM_TeamTable" WITH (security_invoker = true) AS
SELECT DISTINCT ON (k.team_id) k.team_id, nullif(k.team_alias, '') AS team_alias,
  nullif(k.organization_id, '') AS organization_id,
  (SELECT coalesce(sum(s.spend), 0) FROM spendlog.spend_sums s
   WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.team_id = k.team_id) AS spend
FROM (
  SELECT c.team_id, c.team_alias, c.organization_id FROM spendlog.shared_callers c
  UNION ALL
  SELECT w.team_id, w.team_alias, w.organization_id FROM spendlog.stored_sums w
  WHERE w.call_no IS NULL AND w.about & 1 <> 0 AND w.grain IN ('delta', 'day')) k
WHERE k.team_id <> ''
ORDER BY k.team_id, k.team_alias DESC, k.organization_id DESC;
COMMENT ON VIEW litellm."LiteLLM_TeamTable" IS 'Teams as calls name them';

CREATE VIEW litellm."LiteLLM_UserTable" WITH (security_invoker = true) AS
SELECT k.user_id, NULL::text AS user_alias, NULL::text AS user_email,
  (SELECT coalesce(sum(s.spend), 0) FROM spendlog.spend_sums s
   WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.user_id = k.user_id) AS spend
FROM (
  SELECT c.user_id FROM spendlog.shared_callers c
  UNION
  SELECT w.user_id FROM spendlog.stored_sums w
  WHERE w.call_no IS NULL AND w.about & 1 <> 0 AND w.grain IN ('delta', 'day')) k
WHERE k.user_id <> '';
COMMENT ON VIEW litellm."LiteLLM_UserTable" IS 'Users as calls name them; names and addresses of people are in no event';

CREATE VIEW litellm."LiteLLM_OrganizationTable" WITH (security_invoker = true) AS
SELECT k.organization_id, NULL::text AS organization_alias,
  (SELECT coalesce(sum(s.spend), 0) FROM spendlog.spend_sums s
   WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.organization_id = k.organization_id) AS spend
FROM (
  SELECT c.organization_id FROM spendlog.shared_callers c
  UNION
  SELECT w.organization_id FROM spendlog.stored_sums w
  WHERE w.call_no IS NULL AND w.about & 1 <> 0 AND w.grain IN ('delta', 'day')) k
WHERE k.organization_id <> '';
COMMENT ON VIEW litellm."LiteLLM_OrganizationTable" IS 'Organizations as calls name them';

-- --- the views of LiteLLM's code: their names and columns, from the sums

CREATE VIEW litellm."MonthlyGlobalSpend" WITH (security_invoker = true) AS
SELECT s.day AS date, coalesce(sum(s.spend), 0) AS spend
FROM spendlog.spend_sums s
WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.day >= CURRENT_DATE - 30
GROUP BY 1
HAVING sum(s.entries) <> 0;

CREATE VIEW litellm."MonthlyGlobalSpendPerKey" WITH (security_invoker = true) AS
SELECT s.day AS date, coalesce(sum(s.spend), 0) AS spend, s.api_key
FROM spendlog.spend_sums s
WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.day >= CURRENT_DATE - 30
GROUP BY 1, 3
HAVING sum(s.entries) <> 0;

CREATE VIEW litellm."MonthlyGlobalSpendPerUserPerKey" WITH (security_invoker = true) AS
SELECT s.day AS date, coalesce(sum(s.spend), 0) AS spend, s.api_key, s.user_id AS "user"
FROM spendlog.spend_sums s
WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.day >= CURRENT_DATE - 30
GROUP BY 1, 3, 4
HAVING sum(s.entries) <> 0;

CREATE VIEW litellm."Last30dKeysBySpend" WITH (security_invoker = true) AS
SELECT s.api_key, max(nullif(s.api_key_alias, '')) AS key_alias, NULL::text AS key_name, coalesce(sum(s.spend), 0) AS total_spend
FROM spendlog.spend_sums s
WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.day >= CURRENT_DATE - 30
GROUP BY 1
HAVING sum(s.entries) <> 0
ORDER BY total_spend DESC;

CREATE VIEW litellm."Last30dModelsBySpend" WITH (security_invoker = true) AS
SELECT s.model, coalesce(sum(s.spend), 0) AS total_spend
FROM spendlog.spend_sums s
WHERE s.grain IN ('delta', 'day') AND s.level = 'all' AND s.day >= CURRENT_DATE - 30 AND s.model <> ''
GROUP BY 1
HAVING sum(s.entries) <> 0
ORDER BY total_spend DESC;

CREATE VIEW litellm."DailyTagSpend" WITH (security_invoker = true) AS
SELECT s.label AS individual_request_tag, s.day AS spend_date, sum(s.calls)::bigint AS log_count,
  coalesce(sum(s.spend), 0) AS total_spend
FROM spendlog.spend_sums s
WHERE s.grain IN ('delta', 'day') AND s.level = 'tag'
GROUP BY 1, 2
HAVING sum(s.entries) <> 0;

CREATE VIEW litellm."Last30dTopEndUsersSpend" WITH (security_invoker = true) AS
SELECT s.label AS end_user, sum(s.calls)::bigint AS total_events, coalesce(sum(s.spend), 0) AS total_spend
FROM spendlog.spend_sums s
WHERE s.grain IN ('delta', 'day') AND s.level = 'end_user' AND s.day >= CURRENT_DATE - 30
GROUP BY 1
HAVING sum(s.entries) <> 0
ORDER BY total_spend DESC
LIMIT 100;

REVOKE ALL ON FUNCTION spendlog.litellm_call_type(text), spendlog.litellm_endpoint(text), spendlog.litellm_date(date)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.litellm_call_type(text), spendlog.litellm_endpoint(text), spendlog.litellm_date(date)
  TO spendlog_writer, spendlog_repricer, spendlog_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA litellm TO spendlog_writer, spendlog_repricer, spendlog_reader;
