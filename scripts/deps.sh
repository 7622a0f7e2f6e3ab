#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on Debian 12. Nothing missing: asks nobody, touches nothing, needs no network.
#
#   scripts/deps.sh [build] [demo] [check]     default: build
#
# build: compiler and libraries; demo: both servers and what feeds them; check: the linters as well.
set -euo pipefail

build="gcc make pkg-config libc6-dev librdkafka-dev libpq-dev libjansson-dev libyaml-dev libxxhash-dev libssl-dev
libmicrohttpd-dev libavro-dev libcurl4-openssl-dev"
demo="$build postgresql kcat python3 default-jre-headless maven procps util-linux"
check="$demo faketime git python3-venv libcmocka-dev universal-ctags man-db clang libclang-rt-14-dev clang-format clang-tidy cppcheck mandoc python3-yaml pyflakes3 openssl xz-utils prometheus pgbouncer systemd"

wanted() {
    local group
    for group in "${@:-build}"; do
        case $group in
        build | demo | check) echo "${!group}" ;;
        *) echo "usage: $0 [build] [demo] [check]" >&2; exit 64 ;;
        esac
    done
}

# Packages of the list that are not installed. A JRE, Maven or PostgreSQL from elsewhere is as good.
missing() {
    local package
    for package in "$@"; do
        case $package in
        default-jre-headless) command -v java >/dev/null && continue ;;
        maven) command -v mvn >/dev/null && continue ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && continue ;;
        esac
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

list=$(missing $(wanted "$@") | sort -u)
[ -n "$list" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "deps: this system has no apt-get; install what these Debian packages hold:" $list >&2
    exit 69
fi
echo "deps: installing" $list >&2
export DEBIAN_FRONTEND=noninteractive
as_root apt-get -q update </dev/null >&2
# What is installed is for our own servers: none of the packages' is to run after the installation.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
fi
if grep -qw postgresql <<<"$list" && ! dpkg-query -W postgresql-common >/dev/null 2>&1; then
    as_root mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $list </dev/null >&2
