# SPDX-License-Identifier: Apache-2.0
"""FinOps FOCUS: the rules of the specification, line by line, on both datasets; the public validator; memory."""
import csv
import datetime
import decimal
import io
import itertools
import json
import os
import re
import subprocess
import sys
from decimal import Decimal

from harness.report import Skipped, check, check_equal
from harness.servers import ROOT, SPENDLOG, run_checked
from integration.repricing import EVENTS, FILL_ROWS, Repricing
from integration.stage import Stage

REQUIREMENTS = os.path.join(ROOT, "tests/integration/focus.txt")
INSTALL_S = 600
VERSIONS = ("1.2", "1.5")
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns")
MONTHS = ("2026-08", "2026-09")
DISCOUNTED = """
litellm_settings:
  cost_discount_config: {openai: 0.0731, anthropic: 0.05}
  cost_margin_config: {global: 0.03}
"""

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
NUMBER = re.compile(r"^-?\d+(\.\d+)?$")
MANDATORY = set("BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeClass "
                "ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost PricingQuantity "
                "PricingUnit ServiceCategory ServiceName".split())
OF_VERSION = {"1.2": {"ProviderName", "PublisherName"}, "1.5": {"ServiceProviderName", "HostProviderName"}}
CONDITIONAL = set("ChargeFrequency ConsumedQuantity ConsumedUnit ContractedUnitPrice ListUnitPrice PricingCategory RegionId RegionName ResourceId "
                  "ResourceName ResourceType ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId SubAccountName Tags".split())
ONLY_1_5 = {"PrincipalId", "CredentialId"}
NOT_NULL = set("BilledCost BillingAccountId BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeDescription ChargeFrequency "
               "ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost ServiceCategory ServiceName "
               "ServiceSubcategory".split())
NOT_NULL_OF_USAGE = set("ConsumedQuantity ConsumedUnit ContractedUnitPrice ListUnitPrice PricingCategory PricingQuantity PricingUnit SkuId SkuMeter "
                        "SkuPriceId".split())
DETAILS_1_5 = {"ModelDeveloper", "ModelFamily", "ModelId", "ModelVersion", "TokenCacheAction", "TokenDirection"}


def is_usage(row):
    return row["ChargeClass"] is None


def product_is(row, price, cost):
    return row[price] is None or Decimal(row[price]) >= 0 and Decimal(row[price]) * Decimal(row["PricingQuantity"]) == Decimal(row[cost])


def is_flat_object(text):
    value = json.loads(text)
    return isinstance(value, dict) and all(not isinstance(one, (dict, list)) for one in value.values())


def details_are_known(row):
    details = json.loads(row["SkuPriceDetails"] or "{}")
    return all(key in DETAILS_1_5 or key.startswith("x_") for key in details)


def details_of_tokens(row):
    details, meter = json.loads(row["SkuPriceDetails"] or "{}"), row["SkuMeter"] or ""
    direction, action = details.get("TokenDirection"), details.get("TokenCacheAction")
    if meter.startswith("cache_"):
        return direction == "Input" and action == ("Read" if "_read" in meter else "Write")
    if meter.endswith("_tokens") and meter.startswith("input_"):
        return (direction, action) == ("Input", "Uncached")
    return action is None and direction == ("Output" if meter in ("output_text_tokens", "reasoning_tokens") else direction)


def together(row, whole, *parts):
    return all((row[whole] is None) == (row[part] is None) for part in parts)


# What the specification says of a line, and whether it is so.
RULES = (
    ("ChargeCategory is one of the allowed values", lambda r: r["ChargeCategory"] == "Usage"),
    ("ChargeClass is null or Correction", lambda r: r["ChargeClass"] in (None, "Correction")),
    ("ChargeFrequency is one of the allowed values", lambda r: r["ChargeFrequency"] == "Usage-Based"),
    ("PricingCategory is one of the allowed values", lambda r: r["PricingCategory"] in (None, "Standard", "Dynamic", "Committed", "Other")),
    ("ServiceCategory and ServiceSubcategory belong together",
     lambda r: (r["ServiceCategory"], r["ServiceSubcategory"]) == ("AI and Machine Learning", "Generative AI")),
    ("BillingCurrency is ISO 4217", lambda r: r["BillingCurrency"] == "USD"),
    ("what is mandatory is not null", lambda r: all(r[name] is not None for name in NOT_NULL)),
    ("usage has a quantity, a unit, a SKU and prices", lambda r: not is_usage(r) or all(r[name] is not None for name in NOT_NULL_OF_USAGE)),
    ("costs and quantities are plain numbers", lambda r: all(r[name] is None or NUMBER.match(r[name]) for name in r
                                                             if name.endswith(("Cost", "Quantity", "UnitPrice", "x_Calls")))),
    ("list unit price times quantity is the list cost", lambda r: not is_usage(r) or product_is(r, "ListUnitPrice", "ListCost")),
    ("contracted unit price times quantity is the contracted cost", lambda r: not is_usage(r) or product_is(r, "ContractedUnitPrice", "ContractedCost")),
    ("without unit prices costs are those billed",
     lambda r: r["ListUnitPrice"] is not None or Decimal(r["ListCost"]) == Decimal(r["ContractedCost"]) == Decimal(r["BilledCost"])),
    ("nothing is taken off after the contract", lambda r: Decimal(r["EffectiveCost"]) == Decimal(r["ContractedCost"]) == Decimal(r["BilledCost"])),
    ("a unit where there is a quantity", lambda r: together(r, "ConsumedQuantity", "ConsumedUnit") and together(r, "PricingQuantity", "PricingUnit")),
    ("no SKU, no meter, price and details", lambda r: r["SkuId"] is not None or (r["SkuMeter"], r["SkuPriceId"], r["SkuPriceDetails"]) == (None,) * 3),
    ("a name where there is an id", lambda r: together(r, "ResourceId", "ResourceName", "ResourceType") and together(r, "RegionId", "RegionName")
     and (r["SubAccountId"] is not None or r["SubAccountName"] is None)),
    ("times are ISO 8601 in UTC", lambda r: all(TIME.match(r[name]) for name in r if "Period" in name)),
    ("a charge lies in its billing period",
     lambda r: r["BillingPeriodStart"] <= r["ChargePeriodStart"] < r["ChargePeriodEnd"] <= r["BillingPeriodEnd"]),
    ("Tags is an object of scalars", lambda r: is_flat_object(r["Tags"])),
    ("a tag without a value is true", lambda r: all(value is True for value in json.loads(r["Tags"]).values())),
    ("SkuPriceDetails is an object of scalars", lambda r: r["SkuPriceDetails"] is None or is_flat_object(r["SkuPriceDetails"])),
)
RULES_1_5 = (
    ("SkuPriceDetails has properties of FOCUS or begins them with x_", details_are_known),
    ("tokens have their direction and what a cache did with them", details_of_tokens),
    ("ServiceProviderName and HostProviderName are not null", lambda r: r["ServiceProviderName"] and r["HostProviderName"]),
)
RULES_1_2 = (
    ("SkuPriceDetails has properties that begin with x_", lambda r: all(key.startswith("x_") for key in json.loads(r["SkuPriceDetails"] or "{}"))),
    ("ProviderName and PublisherName are not null", lambda r: r["ProviderName"] and r["PublisherName"]),
)


def columns_are(rows, version):
    names = list(rows[0])
    other = OF_VERSION["1.5" if version == "1.2" else "1.2"]
    check_equal(sorted((MANDATORY | CONDITIONAL | OF_VERSION[version]) - set(names)), [], f"columns that {version} lacks")
    check(not other & set(names), f"{version} has columns of another version: {names}")
    known = MANDATORY | CONDITIONAL | OF_VERSION[version] | (ONLY_1_5 if version == "1.5" else set())
    check_equal([name for name in names if name not in known and not name.startswith("x_")], [], f"columns that nobody knows in {version}")


def one_for_each(rows, key, *values):
    """Lines of a key have the same values."""
    seen = {}
    for row in rows:
        if row[key] is not None:
            said = tuple(row[value] for value in values)
            check(seen.setdefault(row[key], said) == said, f"{key} {row[key]}: {values} are {said} and {seen[row[key]]}")


def rules_hold(rows, version):
    columns_are(rows, version)
    for (name, holds), row in itertools.product(RULES + (RULES_1_2 if version == "1.2" else RULES_1_5), rows):
        check(holds(row), f"{version}: not so: {name}: {row}")
    one_for_each(rows, "SkuId", "SkuMeter")
    priced = [row for row in rows if row["PricingUnit"] not in (None, "Charges")]
    one_for_each(priced, "SkuPriceId", "SkuId", "ListUnitPrice", "PricingUnit")


def month_in(config, version, month, zone="UTC"):
    """Lines as the specification has them: null for what is not there; and what was said beside."""
    done = subprocess.run([SPENDLOG, "report", "-c", config, "--format", "focus", "--focus-version", version, "--month", month, "--tz", zone],
                          capture_output=True, text=True)
    check_equal(done.returncode, 0, f"exit code: {done.stderr[-500:]}")
    check(not re.search(r'(^|,)""(,|$)', done.stdout, re.M), "an empty text instead of null")
    rows = [{name: value if value != "" else None for name, value in row.items()} for row in csv.DictReader(io.StringIO(done.stdout))]
    told = re.search(r"(\d+) calls without a price", done.stderr)
    return rows, int(told.group(1)) if told else 0


def edges_of(month, zone):
    first = datetime.date.fromisoformat(month + "-01")
    after = (first + datetime.timedelta(days=31)).replace(day=1)
    return tuple(f"(timestamp '{day}' AT TIME ZONE '{zone}' AT TIME ZONE 'UTC')" for day in (first, after))


# Calls that count and have no price, also not by what was posted for a closed month.
WITHOUT_PRICE = ("spendlog.counted_logs l WHERE pricing_status = 'unpriced' AND NOT EXISTS (SELECT FROM spendlog.posted_latest a WHERE "
                 "a.start_time = l.start_time AND a.identity = l.identity AND a.new_status NOT IN ('unpriced', 'reported'))")


def months_agree(world, config, version, zone):
    """All months together have each cent of the entries, and each call without a price is counted beside."""
    lines = []
    for month in MONTHS:
        since, until = edges_of(month, zone)
        rows, unpriced = month_in(config, version, month, zone)
        rules_hold(rows, version)
        where = f"start_time >= {since} AND start_time < {until}"
        spend = world.value(f"SELECT coalesce(sum(spend), 0) FROM spendlog.spend_entries WHERE {where}")
        left = world.value(f"SELECT count(*) FROM {WITHOUT_PRICE} AND {where}")
        check_equal(sum(Decimal(row["BilledCost"]) for row in rows), Decimal(spend), f"{version}, {month}, {zone}: cost")
        check_equal(unpriced, int(left), f"{version}, {month}, {zone}: calls without a price")
        begin = world.value(f"SELECT to_char({since}, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
        check(all(row["BillingPeriodStart"] == begin for row in rows), f"lines of another month than {begin}")
        lines += rows
    return lines


def changed_world(world, config):
    """Discounts and margins, corrections of a closed month, rows set aside, calls without a price."""
    world.stage.sql("UPDATE spendlog.spend_logs SET spend = NULL, input_cost = NULL, output_cost = NULL, other_cost = NULL, items = NULL, "
                    "pricing_status = 'unpriced', pricing_reason = 'unknown_model' WHERE identity IN (SELECT identity FROM spendlog.spend_logs "
                    "ORDER BY identity LIMIT 40)")
    world.stage.sql("SELECT spendlog.sums_remake('-infinity', 'infinity')")
    run = run_checked([SPENDLOG, "reprice", "-c", config, "-q", "--json", "--since", "2026-08-31", "--until", "2026-09-02"])
    check(json.loads(run)["changed"] > 0, "nothing has another price")
    dearest = ("SELECT identity FROM spendlog.spend_logs WHERE start_time {} '2026-09-01' AND spend > 0 ORDER BY spend DESC, identity LIMIT 1")
    world.command("a", "exclude", "--identity", world.value(dearest.format(">=")), "--why", "a loop")
    world.command("a", "periods", "close", "2026-08")
    world.command("a", "exclude", "--identity", world.value(dearest.format("<")), "--why", "a loop of a closed month")
    run = run_checked([SPENDLOG, "reprice", "-c", config, "-q", "--json", "--all"])
    check(json.loads(run)["posted"] > 0, "nothing was posted")


def focus_keeps_its_rules(servers):
    """Each rule of the specification holds for each line of FOCUS 1.2 and 1.5, and a month has each cent of it."""
    decimal.getcontext().prec = 100
    with Repricing(servers, "focus-rules", rows=4000) as world:
        with open(os.path.join(world.stage.folder, "discounted.yaml"), "w") as out:
            out.write(DISCOUNTED)
        config = world.stage.config("c", user="spendlog", pricing="{litellm_config: ./discounted.yaml}", extra="drift: {events: 0}\n")
        changed_world(world, config)
        posted = world.value("SELECT to_char(max(posted_on), 'YYYY-MM') FROM spendlog.spend_adjustments WHERE kind = 'posted'")
        corrections, _ = month_in(config, "1.2", posted)
        lines = {version: [months_agree(world, config, version, zone) for zone in ZONES] for version in VERSIONS}
        for rows in (lines["1.2"][0] + corrections, lines["1.5"][0]):
            check(any(Decimal(row["ListCost"]) > Decimal(row["ContractedCost"]) for row in rows), "no line has a discount")
            check({"input_text_tokens", "output_text_tokens", "cache_read_tokens", "margin"} <= {row["SkuMeter"] for row in rows},
                  f"meters {sorted({row['SkuMeter'] or '' for row in rows})}")
        rules_hold(corrections, "1.2")
        check(any(row["ChargeClass"] == "Correction" for row in corrections), "no correction")
        check(not any(row["ChargeClass"] for row in lines["1.2"][0]), "a correction in the month that it corrects")
        everything = world.stage.sql('SELECT (SELECT sum("BilledCost") FROM spendlog.focus_1_2), (SELECT sum("BilledCost") FROM spendlog.focus_1_5), '
                                     "(SELECT sum(spend) FROM spendlog.spend_entries)")[0]
        check_equal([Decimal(one) for one in everything[:2]], [Decimal(everything[2])] * 2, "cost of the views")
        check_equal(world.value("SELECT sum(calls) FROM spendlog.focus_unpriced"),
                    world.value(f"SELECT count(*) FROM {WITHOUT_PRICE}"), "calls without a price")
        return f"{len(RULES) + len(RULES_1_2) + len(RULES_1_5)} rules, {sum(len(rows) for some in lines.values() for rows in some)} lines"


PRICE_COLUMNS = set("ChargeCategory ContractId PricingCurrency PricingCurrencyCategory PricingRegionId PricingServiceName PricingUnit "
                    "ServiceProviderName SkuId SkuPriceCreated SkuPriceDescription SkuPriceEffectiveEnd SkuPriceEffectiveStart "
                    "SkuPriceEligibility SkuPriceId SkuPriceLastUpdated UnitPrice UnitPriceType".split())
PRICE_MAY_BE_NULL = {"ContractId", "PricingRegionId", "SkuPriceEffectiveEnd", "SkuPriceEffectiveStart"}
TWO_MAPS = """{cost_map: [{file: ./first.json}, {file: ./second.json, effective_from: "2026-09-01T00:00:00Z"}]}"""


def price_rows(stage):
    text = run_checked(["psql", "-XqAt", "-h", stage.servers.socket_folder, "-U", "spendlog", "-d", stage.database, "-c",
                        "COPY (SELECT * FROM spendlog.focus_1_5_sku_price) TO STDOUT (FORMAT csv, HEADER)"])
    return [{name: value or None for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


# Prices of the map that are of no line of usage: docs/focus.md says why.
LEFT_OUT = {"cache_creation_input_audio_token_cost", "code_interpreter_cost_per_session", "computer_use_input_cost_per_1k_tokens",
            "computer_use_output_cost_per_1k_tokens", "file_search_cost_per_1k_calls", "file_search_cost_per_gb_per_day",
            "vector_store_cost_per_gb_per_day", "input_cost_per_audio_per_second_above_128k_tokens", "input_cost_per_image_above_128k_tokens",
            "input_cost_per_video_per_second_above_128k_tokens", "input_cost_per_video_per_second_above_15s_interval",
            "input_cost_per_video_per_second_above_8s_interval", "input_cost_per_request", "input_cost_per_text_message",
            "input_cost_per_token_cache_hit", "input_dbu_cost_per_token", "output_dbu_cost_per_token"}
WORDS = {"token": "Tokens", "second": "Seconds", "character": "Characters", "image": "Images", "pixel": "Pixels", "page": "Pages", "credit": "Credits"}


def keys_have_their_units(stage, models, rows):
    """Each price of the map has a unit that is what its key says, or is left out by name."""
    keys = sorted({key for model in models.values() if isinstance(model, dict) for key, value in model.items()
                   if isinstance(value, (int, float)) and not isinstance(value, bool) and re.search("cost|price|dbu", key)})
    units = dict(stage.sql("SELECT key, spendlog.focus_unit(spendlog.focus_price_unit(key)) FROM unnest(ARRAY['" + "','".join(keys) + "']) AS key "
                           "WHERE spendlog.focus_price_unit(key) IS NOT NULL"))
    check_equal(set(keys) - set(units), LEFT_OUT, "prices that are of no unit")
    for key, unit in units.items():
        what = re.sub("_above_.*", "", key)
        if what.endswith("_per_query"):
            check(unit in ("Queries", "Calls"), f"{key} is of {unit}")
            continue
        said = [WORDS[word] for word in re.findall("|".join(WORDS), what)]
        check("Tokens" in said and unit == "Tokens" or unit in said and "Tokens" not in said, f"{key} is of {unit}, not {said}")
    check_equal({row["PricingUnit"] for row in rows} - {*WORDS.values(), "Queries", "Calls", "Searches"}, set(), "units of prices")
    check(not any("dbu" in row["SkuPriceDescription"] for row in rows), "prices in DBU")


def prices_have_their_dates(servers):
    """The SKU Price dataset has each price of the book once for each time it held, and usage finds its price in it."""
    with Stage(servers, "focus-prices", partitions=1) as stage:
        with open(os.path.join(ROOT, "pricing/data/model_prices_and_context_window.json")) as text:
            models = json.load(text)
        for name, price in (("first", 3e-6), ("second", 4e-6)):
            models["gpt-4o-mini"]["input_cost_per_token"] = price
            with open(os.path.join(stage.folder, name + ".json"), "w") as out:
                json.dump(models, out)
        config = stage.config("two", user="spendlog", pricing=TWO_MAPS)
        place = f"host={servers.socket_folder} port=5432 user=spendlog dbname={stage.database}"
        run_checked([FILL_ROWS, place, EVENTS, "500", "2026-08-30", "4"])
        run_checked([SPENDLOG, "reprice", "-c", config, "-q", "--all"])
        rows = price_rows(stage)
        check_equal(set(rows[0]), PRICE_COLUMNS, "columns")
        held = {}
        for row in rows:
            check(all(row[name] is not None for name in PRICE_COLUMNS - PRICE_MAY_BE_NULL), f"null in {row}")
            check(json.loads(row["SkuPriceEligibility"]) and Decimal(row["UnitPrice"]) >= 0, f"{row}")
            held.setdefault((row["ServiceProviderName"], row["SkuPriceId"]), []).append((row["SkuPriceEffectiveStart"] or "", row["SkuPriceEffectiveEnd"] or "9"))
        for key, times in held.items():
            times.sort()
            check(all(before[1] <= after[0] for before, after in zip(times, times[1:])), f"{key} has overlapping times {times}")
        changed = {row["SkuPriceId"]: (row["SkuPriceEffectiveStart"], row["SkuPriceEffectiveEnd"]) for row in rows
                   if row["SkuId"] == "openai/gpt-4o-mini/input_text_tokens" and re.search(r"input_cost_per_token(,|$)", row["SkuPriceDescription"])}
        check_equal(changed, {"openai/gpt-4o-mini/input_text_tokens@0.000003": (None, "2026-09-01T00:00:00Z"),
                              "openai/gpt-4o-mini/input_text_tokens@0.000004": ("2026-09-01T00:00:00Z", None)}, "a price that changed")
        keys_have_their_units(stage, models, rows)
        used = {one for (one,) in stage.sql('SELECT DISTINCT "SkuPriceId" FROM spendlog.focus_1_5 WHERE "PricingUnit" = \'Tokens\' '
                                            'AND "ServiceProviderName" = \'OpenAI\'')}
        missing = used - {row["SkuPriceId"] for row in rows}
        check(len(missing) < len(used) / 4, f"prices that were used and are not listed: {sorted(missing)} of {len(used)}")
        # A list price that was multiplied, and what was free: the SKU is listed.
        skus = {row["SkuId"] for row in rows}
        check_equal(sorted(one for one in missing if one.rsplit("@", 1)[0] not in skus), [], "SKUs that were used and are not listed")
        return f"{len(rows)} prices, {len(used) - len(missing)} of {len(used)} that were used"


# Rules of the validator that differ, and why. It knows FOCUS 1.0, under names of columns of before its release.
EXPLAINED = {
    "BillingCurrency_IsCurrencyCode": "the validator's list of currencies is not in its package",
    "ConsumedQuantity_IsDecimal": "whole numbers are decimals for the specification; the validator wants one with a fraction",
    "PricingQuantity_IsDecimal": "as ConsumedQuantity",
    "InvoiceIssuer_Required": "the column is InvoiceIssuerName", "Provider_Required": "the column is ProviderName",
    "Publisher_Required": "the column is PublisherName", "ResourceID_Required": "the column is ResourceId",
    "SkuPriceId_Nullable": "the rule reads ChargeType, which became ChargeCategory",
    **{f"CommitmentDiscount{what}_Required": "since 1.1 of providers with commitment discounts alone; calls have none"
       for what in ("Category", "Id", "Name", "Status", "Type")},
}


def validator_bin():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(cache, "spendlog/focus-validator")
    if not os.path.exists(os.path.join(folder, "ready")):
        for argv in ([sys.executable, "-m", "venv", folder], [os.path.join(folder, "bin/pip"), "install", "-q", "-r", REQUIREMENTS]):
            try:
                made = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_S)
            except subprocess.TimeoutExpired:
                raise Skipped("the validator of FOCUS is not here and its installation takes too long") from None
            if made.returncode != 0:
                why = (made.stderr or made.stdout).strip().splitlines() or [""]
                raise Skipped(f"the validator of FOCUS is not here and cannot be installed: {why[-1]}")
        open(os.path.join(folder, "ready"), "w").close()
    return os.path.join(folder, "bin/focus-validator")


def focus_passes_the_validator(servers):
    """The public validator finds nothing in a month of FOCUS 1.2 but what is explained."""
    validator = validator_bin()
    with Repricing(servers, "focus-valid", rows=1500) as world:
        path = os.path.join(world.stage.folder, "focus.csv")
        with open(path, "w") as out:
            out.write(world.command("a", "report", "--format", "focus", "--month", "2026-09"))
        done = subprocess.run([validator, "--data-file", path, "--validate-version", "1.0"], capture_output=True, text=True)
        failed = set(re.findall(r"^(\w+) failed:", done.stdout, re.M))
        check("Errors encountered" in done.stdout or "succeeded" in done.stdout, f"the validator said {done.stdout[-300:]}{done.stderr[-300:]}")
        check_equal(sorted(failed - set(EXPLAINED)), [], f"rules that fail\n{done.stdout[-3000:]}")
        return f"{len(failed)} rules of an older specification differ"


def peak_kb(argv):
    """The most memory that a command took before its last words: it waits for them to be read."""
    job = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peak = 0
    while job.stdout.read(4096):
        try:
            with open(f"/proc/{job.pid}/status") as status:
                peak = max([peak] + [int(kb) for kb in re.findall(r"^VmHWM:\s+(\d+) kB", status.read(), re.M)])
        except FileNotFoundError:
            break
    check_equal(job.wait(), 0, "exit code")
    return peak


def focus_is_streamed(servers):
    """Thirty times as many lines take no more memory."""
    with Repricing(servers, "focus-stream", rows=1000, days=1) as world:
        argv = world.argv("a", "report", "--format", "focus")
        few, small = peak_kb(argv), world.value("SELECT count(*) FROM spendlog.focus_1_2")
        place = f"host={servers.socket_folder} port=5432 user=spendlog dbname={world.stage.database}"
        run_checked([FILL_ROWS, place, EVENTS, "30000", "2026-09-05", "20"])
        many, large = peak_kb(argv), world.value("SELECT count(*) FROM spendlog.focus_1_2")
        check(int(large) >= 10 * int(small), f"{small} lines and then {large}")
        check(many < few + 2048, f"{few} kB for {small} lines, {many} kB for {large}")
        return f"{few} kB for {small} lines, {many} kB for {large}"


ALL = (focus_keeps_its_rules, prices_have_their_dates, focus_passes_the_validator, focus_is_streamed)
