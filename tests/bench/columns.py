# SPDX-License-Identifier: Apache-2.0
"""What each column of a row costs PostgreSQL: its values alone, through binary COPY into a table of that column.

The values are of rows that the writer itself made. The CPU is the backend's own (/proc/self/schedstat), less that of
the same number of rows of one NULL, so what is left is receiving, forming and storing the value.
"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
WHERE a.attrelid = 'spendlog.stored_rows'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
CPU = "SELECT split_part(pg_read_file('/proc/self/schedstat', 0, 64), ' ', 1)"
NOTHING = "nothing"


def one(bench, folder, column, kind, value):
    """CPU seconds a million rows, share of NULL, bytes of a value that is there."""
    path, count = f"{folder}/column.bin", bench.events["sizes"]
    bench.sql(f"COPY (SELECT {value} FROM spendlog.stored_rows) TO '{path}' (FORMAT binary)")
    answers = bench.sql(f"CREATE UNLOGGED TABLE public.one_column (v {kind}); {CPU}; "
                        f"COPY public.one_column FROM '{path}' (FORMAT binary); {CPU}; "
                        "SELECT avg((v IS NULL)::integer), coalesce(avg(pg_column_size(v)), 0) FROM public.one_column; "
                        "DROP TABLE public.one_column")
    before, after = int(answers[0][0]), int(answers[1][0])
    return (after - before) / count / 1000, float(answers[2][0]), float(answers[2][1])


def measure(bench, rounds):
    """[(column, type, CPU s/M, share of NULL, bytes)] of `sizes` rows that are in the table; the dearest first."""
    folder = f"{bench.servers.socket_folder}/data"
    columns = [(name, kind, name) for name, kind in bench.sql(COLUMNS)]
    best = {}
    for _ in range(rounds):
        for name, kind, value in [(NOTHING, "text", "NULL::text"), *columns]:
            cpu, nulls, size = one(bench, folder, name, kind, value)
            best[name] = (kind, min(cpu, best.get(name, (kind, cpu))[1]), nulls, size)
    floor = best.pop(NOTHING)[1]
    return sorted(((name, kind, max(cpu - floor, 0.0), nulls, size) for name, (kind, cpu, nulls, size) in best.items()),
                  key=lambda found: -found[2])


def report(found, rows, rounds, where):
    lines = [f"{where}; {rows:,} rows of 1.1 KB events as the writer made them, best of {rounds}. Columns that are NULL in all rows cost "
             "a bit of a row's head and are left out.", "",
             "| column | type | CPU s/M rows | NULL | bytes of a value | bytes a row |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    there = [column for column in found if column[3] < 1]
    for name, kind, cpu, nulls, size in there:
        lines.append(f"| `{name}` | {kind} | {cpu:.2f} | {100 * nulls:.0f} % | {size:.1f} | {size * (1 - nulls):.1f} |")
    lines.append(f"| together | | {sum(c[2] for c in there):.2f} | | | {sum(c[4] * (1 - c[3]) for c in there):.0f} |")
    return "\n".join(lines) + "\n"
