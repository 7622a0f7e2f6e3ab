#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deb.sh VERSION: builds the Debian package of the checkout into build/deb.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1
command -v dh >/dev/null || { echo "deb: no debhelper here: apt-get install debhelper dpkg-dev fakeroot" >&2; exit 69; }
place=build/deb/spendlog-$version
rm -rf build/deb
mkdir -p "$place"
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    tar -c --null -T - | tar -x -C "$place"
cp -r packaging/debian "$place/debian"
{
    printf 'spendlog (%s) bookworm; urgency=medium\n\n  * What changed: CHANGELOG.md.\n\n' "$version"
    printf ' -- spendlog maintainers <maintainers@example.org>  %s\n' "$(date -R -r CHANGELOG.md)"
} >"$place/debian/changelog"
cd "$place"
env -u CC dpkg-buildpackage -b -us -uc >../build.log 2>&1 || { tail -n 30 ../build.log >&2; exit 70; }
ls ../*.deb
