# SPDX-License-Identifier: Apache-2.0
# One non-recursive file. `make help` lists the targets; VARIANT=debug|asan|tsan|coverage|fuzz picks a build
# folder of its own.

CC       ?= gcc
VERSION  := 0.2.0
VARIANT  ?= release
B        := build/$(VARIANT)
# Folders in the order of dependencies, which is the order of linking: an archive is searched once, for what
# those before it want. What each may call and include beside itself: `make layers` links each of them whole
# with those alone, scripts/lint.sh looks at the includes.
PRICING  := pricing/bill pricing/book pricing/names pricing/map
FOLDERS  := cli run store $(PRICING) ingest core
SEES.core          :=
SEES.ingest        := core
SEES.pricing/map   := core
SEES.pricing/names := pricing/map core
SEES.pricing/book  := pricing/names pricing/map core
SEES.pricing/bill  := pricing/book pricing/names pricing/map core
SEES.store         := core
SEES.run           := store pricing ingest core
SEES.cli           := run store pricing ingest core
PKGS     := rdkafka libpq jansson yaml-0.1 libxxhash libcrypto libmicrohttpd avro-c libcurl

WARN     := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wcast-qual -Wstrict-prototypes \
            -Wmissing-prototypes -Wmissing-declarations -Wwrite-strings -Wundef -Wvla \
            -Wformat=2 -Wno-format-nonliteral
HARDEN   := -fstack-protector-strong -fPIE -Wformat -Werror=format-security
OPT.release := -O2 -g -D_FORTIFY_SOURCE=2
OPT.debug   := -O0 -g3 -fno-omit-frame-pointer
OPT.asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT.tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
OPT.coverage := -O0 -g --coverage -fprofile-update=atomic
OPT.fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK.release := -pie -Wl,-z,relro -Wl,-z,now
LINK.asan    := -fsanitize=address,undefined
LINK.tsan    := -fsanitize=thread
LINK.coverage := --coverage
LINK.fuzz    := -fsanitize=fuzzer,address,undefined

CFLAGS   ?= $(OPT.$(VARIANT)) $(HARDEN)
CPPFLAGS += -I. -D_GNU_SOURCE -DSPENDLOG_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS))
LDLIBS   := $(shell pkg-config --libs $(PKGS)) -lm -pthread

SRC      := $(foreach d,$(FOLDERS),$(wildcard $(d)/*.c))
GEN      := build/gen/mappings.c build/gen/migrations.c build/gen/citus.c build/gen/cost_map.c build/gen/example.c
TESTS    := $(wildcard tests/unit/test_*.c)
obj       = $(patsubst %.c,$(B)/%.o,$(1))
lib       = $(B)/lib$(subst /,-,$(1)).a
# What a test's `links:` line names, and core; `pricing` is its rooms, `pricing/map` is one of them.
linked    = $$(for l in $$(echo $$(sed -n 's|.*links:\([a-z/ ]*\).*|\1|p' $<) core | \
            sed 's|\<pricing |$(PRICING) |' | tr / -); do echo $(B)/lib$$l.a; done)
LIBS     := $(foreach d,$(filter-out cli,$(FOLDERS)),$(call lib,$(d)))

# What is not installed is named here, before the compiler says it in its own words.
BARE     := help deps deb demo check down clean clean-local lint layers
ifneq ($(filter-out $(BARE),$(or $(MAKECMDGOALS),all)),)
LACKING  := $(shell command -v $(lastword $(CC)) >/dev/null 2>&1 || echo $(lastword $(CC)); \
              command -v pkg-config >/dev/null 2>&1 || echo pkg-config; \
              for p in $(PKGS); do pkg-config --exists $$p 2>/dev/null || echo $$p; done)
ifneq ($(LACKING),)
$(error not installed: $(LACKING). scripts/deps.sh installs what is missing (Debian 12))
endif
endif

# What everything is compiled with; when that changes, everything is compiled again.
FLAGS    := $(CC) $(CPPFLAGS) $(WARN) $(CFLAGS) $(LDFLAGS)
ifneq ($(FLAGS),$(file <$(B)/flags))
ifeq ($(findstring n,$(firstword -$(MAKEFLAGS)))$(filter $(BARE),$(MAKECMDGOALS)),)
$(shell mkdir -p $(B))$(file >$(B)/flags,$(FLAGS))
endif
endif

.DELETE_ON_ERROR:
PREFIX   ?= /usr/local
SYSCONF  ?= /etc
.PHONY: all tools test mutation sim sim-short asan fuzz fuzz-short agreement integration bench bench-questions bench-long chaos chaos-short security lint check demo deps deb bare up down clean-local install clean help oracle lists layers unit coverage run-coverage tsan tsan-run

all: spendlog ## build ./spendlog

spendlog: $(B)/spendlog
	@ln -sf $< $@

$(B)/spendlog: $(call obj,$(wildcard cli/*.c) build/gen/example.c) $(LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) $(LINK.$(VARIANT)) -o $@ $(filter %.o,$^) $(LIBS) $(LDLIBS)

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) -MMD -MP -c -o $@ $<

# One archive per folder; a unit test links only the archives it may see.
define archive
$(call lib,$(1)): $(call obj,$(wildcard $(1)/*.c)) $(call obj,$(2))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(eval $(call archive,core))
$(eval $(call archive,ingest,build/gen/mappings.c))
$(foreach room,$(filter-out %/map,$(PRICING)),$(eval $(call archive,$(room))))
$(eval $(call archive,pricing/map,build/gen/cost_map.c))
$(eval $(call archive,store,build/gen/migrations.c build/gen/citus.c))
$(eval $(call archive,run))

# One folder, whole, linked with what it may see: a call to anything else is an undefined reference.
ARCHIVES := $(filter-out cli,$(FOLDERS))
define layer
$(B)/layers/$(1): $(call lib,$(1)) $(foreach d,$(SEES.$(1):pricing=$(PRICING)),$(call lib,$(d)))
	@mkdir -p $$(@D)
	@echo 'int main(void) { return 0; }' | $(CC) $(CFLAGS) $(LINK.$(VARIANT)) -o $$@ -x c - -x none \
	    -Wl,--whole-archive $$< -Wl,--no-whole-archive $$(filter-out $$<,$$^) $(LDLIBS)
endef
$(foreach a,$(ARCHIVES),$(eval $(call layer,$(a))))
layers: $(ARCHIVES:%=$(B)/layers/%) $(call obj,$(SRC)) ## each folder linked with those that it may see; no circles of files
	@echo "layers: $(words $(ARCHIVES)) folders, each links with what it may see alone"
	@scripts/circles.sh $(call obj,$(SRC))

build/gen/mappings.c: $(sort $(wildcard ingest/mappings/*.yaml)) scripts/embed.sh
	@mkdir -p $(@D) && scripts/embed.sh mappings $(filter %.yaml,$^) >$@
build/gen/migrations.c: $(sort $(wildcard migrations/*.sql)) migrations scripts/embed.sh
	@mkdir -p $(@D) && scripts/embed.sh migrations $(filter %.sql,$^) >$@
build/gen/citus.c: store/citus.sql scripts/embed.sh
	@mkdir -p $(@D) && scripts/embed.sh citus $(filter %.sql,$^) >$@
build/gen/example.c: examples/spendlog.yaml scripts/embed.sh
	@mkdir -p $(@D) && scripts/embed.sh example $(filter %.yaml,$^) >$@
build/gen/cost_map.c: pricing/data/model_prices_and_context_window.json scripts/embed.sh
	@mkdir -p $(@D) && scripts/embed.sh cost_map $(filter %.json,$^) >$@

# tests/unit/test_X.c; its first lines may say `links: pricing ingest` beside core, `ldflags: ...`, and
# `fakes: kafka`: tests/fakes/kafka.c, linked in place of what an archive has under these names.
$(B)/tests/unit/%: tests/unit/%.c $(wildcard tests/fakes/*) tests/harness/filter.c $(LIBS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) $(LINK.$(VARIANT)) -MMD -MP -o $@ $< tests/harness/filter.c \
	    $$(for f in $$(sed -n 's|.*fakes:\([a-z_ ]*\).*|\1|p' $<); do echo tests/fakes/$$f.c; done) \
	    $$(sed -n 's|.*ldflags: *\([^ *]*\).*|\1|p' $<) \
	    $(linked) \
	    $(LDLIBS) -lcmocka

# The whole service in one process, by seed: its objects, with other functions under the names of its seams.
SIM      := $(B)/tests/sim/sim
SIM_S    ?= 600
SIM_WRAP := $(foreach name,malloc calloc realloc strdup free abort,-Wl,--wrap=$(name))
$(SIM): $(wildcard tests/sim/*.[ch]) $(LIBS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) $(LINK.$(VARIANT)) $(SIM_WRAP) -o $@ $(filter %.c,$^) $(LIBS) $(LDLIBS)

sim: $(SIM) ## the service, Kafka and PostgreSQL in one process: histories of faults, new ones for SIM_S seconds
	tests/sim/run --seconds $(SIM_S)

sim-short: $(SIM) ## the kept seeds and half a minute of others
	tests/sim/run

build/gen/decimal_cases.txt: tests/unit/decimal_cases.py
	@mkdir -p $(@D) && python3 $< >$@

# Events with LiteLLM's own figures. ASan, which is slow, sees every 20th configuration.
AGREE    := $(B)/tests/agreement/agreement
CASES    := $(patsubst tests/cases/pricing/%.jsonl.xz,build/gen/%.jsonl,$(sort $(wildcard tests/cases/pricing/*.xz)))
AGREE.asan := -s 20
$(AGREE): tests/agreement/agreement.c $(LIBS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) $(LINK.$(VARIANT)) -MMD -MP -o $@ $< \
	    $(LIBS) $(LDLIBS)
build/gen/%.jsonl: tests/cases/pricing/%.jsonl.xz
	@mkdir -p $(@D) && xz -dc $< >$@

agreement: $(AGREE) $(CASES) ## prices beside LiteLLM's own, by tag
	$(AGREE) -v $(AGREE.$(VARIANT)) $(CASES)

test: $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(TESTS)) build/gen/decimal_cases.txt $(AGREE) $(CASES) $(B)/spendlog layers ## unit tests (cmocka), agreement
	@for t in $(filter $(B)/tests/unit/%,$^); do echo "== $$t"; $$t || exit 1; done
	@echo "== $(AGREE)"; $(AGREE) -q $(AGREE.$(VARIANT)) $(CASES)
	@tests/cases/bugs/run.py $(B)/spendlog
	@tests/cases/pages/run.py $(B)/spendlog
	@tests/limits/run.py $(B)/spendlog
	@tests/oracle/test_judge.py

unit: $(B)/tests/unit/test_$(or $(T),lane) $(if $(filter decimal,$(T)),build/gen/decimal_cases.txt) ## one unit test: T=lane [TEST='pattern of its functions'] [VARIANT=asan]
	$<

UNITS    := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(TESTS))
AGREE.coverage := -s 10
run-coverage: $(UNITS) build/gen/decimal_cases.txt $(AGREE) $(CASES) $(call obj,$(SRC))
	@for t in $(UNITS) "$(AGREE) -q $(AGREE.coverage) $(CASES)"; do $$t >>$(B)/log 2>&1 || { tail -n 40 $(B)/log; exit 1; }; done

coverage: ## lines that unit tests and agreement run, by folder, none below its floor
	@find build/coverage -name '*.gcda' -delete 2>/dev/null; rm -f build/coverage/log
	@$(MAKE) -s VARIANT=coverage run-coverage
	@scripts/coverage.sh

tsan: ## unit tests of what threads share, under ThreadSanitizer
	@$(MAKE) -s VARIANT=tsan tsan-run
tsan-run: $(patsubst %,$(B)/tests/unit/test_%,log drift lane engine)
	@for t in $^; do echo "== $$t"; setarch -R $$t || exit 1; done

mutation: all ## guards broken one at a time, each missed by a unit test
	tests/mutation/run.py

asan: ## unit tests under ASan and UBSan
	$(MAKE) VARIANT=asan test

# tests/fuzz/fuzz_X.c, built with clang: `links:` as above; `seeds:` names folders and files beside its own.
FUZZERS  := $(patsubst tests/fuzz/%.c,build/fuzz/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_S   ?= 600

$(B)/tests/fuzz/%: tests/fuzz/%.c $(LIBS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) $(LINK.$(VARIANT)) -MMD -MP -o $@ $< \
	    $(linked) $(LDLIBS)

fuzz: ## fuzz each target for FUZZ_S seconds (clang)
	$(MAKE) CC=clang VARIANT=fuzz $(FUZZERS)
	scripts/fuzz.sh $(FUZZ_S) $(FUZZERS)

fuzz-short: ## the same for a few seconds each
	$(MAKE) fuzz FUZZ_S=5

TOOLS    := $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(wildcard tests/tools/*.c))
$(B)/tests/tools/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) $(LINK.$(VARIANT)) -MMD -MP -o $@ $< $(LDLIBS)

tools: $(TOOLS)

SERVER_TESTS := $(patsubst %,$(B)/tests/integration/%,test_store test_schema test_reading test_reprice test_days test_lean test_sums fill_rows)

# What the other suites run too: one entry starts each of them.
FAULTS   := spendlog tools $(B)/tests/integration/test_mock $(B)/tests/integration/copy_sample

integration: $(FAULTS) $(SERVER_TESTS) ## tests against a real Kafka and a real PostgreSQL
	tests/integration/run.py

# tests/integration/X.c: programs of the tests against servers; `links:` as above, `with:` sources beside it.
$(B)/tests/integration/%: tests/integration/%.c tests/harness/filter.c $(LIBS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) $(LINK.$(VARIANT)) -MMD -MP -o $@ $< \
	    $(if $(filter test_%,$*),tests/harness/filter.c) \
	    $$(for w in $$(sed -n 's|.*with:\([a-z_ ]*\).*|\1|p' $<); do echo tests/integration/$$w.c; done) \
	    $(linked) \
	    $(LDLIBS) -lcmocka

chaos: $(FAULTS) ## every fault there is against real servers, up to 25 minutes; SEED=n repeats a run
	tests/chaos/run.py

chaos-short: $(FAULTS) ## each kind of fault once, up to 90 s
	tests/chaos/run.py --short

security: $(FAULTS) ## TLS, SASL, roles, secrets and canaries against real servers
	tests/security/run.py

# tests/bench/X.c: measuring programs; `links:` and `with:` as above.
BENCHES  := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/bench_*.c))
$(B)/tests/bench/%: tests/bench/%.c $(wildcard tests/bench/payload.*) $(LIBS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) $(LINK.$(VARIANT)) -o $@ $< \
	    $$(for w in $$(sed -n 's|.*with:\([a-z_ ]*\).*|\1|p' $<); do echo tests/bench/$$w.c; done) \
	    $(linked) $(LDLIBS)

bench: spendlog tools $(BENCHES) $(B)/tests/integration/fill_rows ## speed beside PostgreSQL's own, into docs/benchmarks.md, 15 minutes; BENCH_EVENTS=n
	tests/bench/run.py
	tests/bench/questions.py

bench-questions: spendlog $(B)/tests/bench/bench_kafka $(B)/tests/integration/fill_rows ## what questions cost beside LiteLLM's tables, into docs/benchmarks.md, 10 minutes; ROWS=n
	tests/bench/questions.py $(if $(ROWS),--rows $(ROWS))

bench-long: spendlog tools $(BENCHES) ## the rate on a table of 10 million rows
	tests/bench/run.py --long

# LITELLM=version SEED=n N=events MAP=file ORACLE=more options of tests/oracle/run.py
oracle: spendlog ## prices beside a LiteLLM from PyPI, over generated events: LITELLM=1.110.2 [SEED=n] [N=events]
	tests/oracle/run.py $(LITELLM) $(if $(SEED),--seed $(SEED)) $(if $(N),--events $(N)) $(if $(MAP),--map $(MAP)) $(ORACLE)

lists: ## pricing/map/lists.def from a LiteLLM of PyPI: LITELLM=1.110.2 [LISTS=--check]
	tests/oracle/closed_lists.py $(LITELLM) $(LISTS)

deb: ## the Debian package, into build/deb
	@scripts/deb.sh $(VERSION)

bare: tools ## README's commands, and the package, on a bare Debian 12 (root, mmdebstrap, network), 10 minutes
	tests/bare/run.py
	tests/bare/package.py

compile_commands.json: export COMMAND := $(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS)
compile_commands.json: Makefile $(SRC) ## for clangd and clang-tidy
	@for f in $(SRC) $(TESTS); do printf '{"directory": "%s", "file": "%s", "command": "%s -c %s"}\n' "$(CURDIR)" $$f \
	    "$$(printf %s "$$COMMAND" | sed 's/[\"]/\\&/g')" $$f; done | sed '1s/^/[/; $$!s/$$/,/; $$s/$$/]/' >$@

lint: ## style, layers, banned functions, static analysis
	scripts/lint.sh

check: ## everything: lint, unit tests, sanitizers, fuzzing, integration, faults
	@scripts/check.sh

demo: ## events through a real Kafka into a real PostgreSQL, and what was spent
	@scripts/demo.sh

deps: ## install what is missing to build, run and check (Debian)
	@scripts/deps.sh check

up: tools ## private Kafka and PostgreSQL for development: .local/env, .local/spendlog.yaml
	@BUILD=$(B) scripts/local.sh up

down: ## stop them
	@scripts/local.sh down

clean-local: ## stop them and remove their data
	@scripts/local.sh clean

install: spendlog ## into DESTDIR and PREFIX; makes /etc/spendlog
	install -D -m 755 spendlog $(DESTDIR)$(PREFIX)/bin/spendlog
	for page in docs/*.[0-9]; do \
	    install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; done
	install -d -m 755 $(DESTDIR)$(SYSCONF)/spendlog
	install -D -m 644 examples/spendlog.yaml $(DESTDIR)$(PREFIX)/share/doc/spendlog/spendlog.yaml
	install -d -m 755 $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in examples/*.service; do \
	    sed 's|/usr/local/bin/|$(PREFIX)/bin/|' $$unit >$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/} || exit 1; done

clean: ## remove build output
	rm -rf build spendlog

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)
