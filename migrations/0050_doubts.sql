-- SPDX-License-Identifier: Apache-2.0
-- What a function says is for those who may read what it is about.

SET LOCAL ROLE spendlog_owner;

REVOKE ALL ON FUNCTION spendlog.doubts(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spendlog.doubts(integer) TO spendlog_writer, spendlog_repricer, spendlog_reader;
