# SPDX-License-Identifier: Apache-2.0
FROM debian:12.11-slim AS build
WORKDIR /src
COPY scripts/deps.sh scripts/
RUN scripts/deps.sh build
COPY . .
RUN make -j2 spendlog && make install DESTDIR=/out PREFIX=/usr

# What feeds the example: the bundled events and what puts them on the topic.
FROM debian:12.11-slim AS producer
RUN apt-get -q update && apt-get -q -y --no-install-recommends install kcat python3 && rm -rf /var/lib/apt/lists/*
COPY scripts/demo_events.py /usr/bin/demo_events.py
COPY tests/cases/demo/ /events/
# The moment that events are moved to is kept: at every start they are the same, and what is sent twice is
# stored once.
RUN mkdir /state && chown nobody /state
VOLUME /state
USER nobody
CMD ["sh", "-c", "[ -s /state/now ] || date +%s >/state/now; demo_events.py --now \"$(cat /state/now)\" /events/*-events.jsonl | kcat -b \"$KAFKA_BROKERS\" -t llm.usage -P"]

FROM debian:12.11-slim AS spendlog
RUN apt-get -q update && apt-get -q -y --no-install-recommends install \
    ca-certificates librdkafka1 libpq5 libjansson4 libyaml-0-2 libxxhash0 libssl3 libmicrohttpd12 libavro23 libcurl4 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/usr /usr
USER nobody
ENTRYPOINT ["spendlog"]
CMD ["run", "-c", "/etc/spendlog/spendlog.yaml"]
