#!/bin/sh
# build.sh [--check]: makes built/, what the program serves, of src/; with --check only says whether it is up to date.
#
# The packages come from npm as package-lock.json names them, into target/editor, so that nothing of them lies here.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$here/../../../../../target/editor
mkdir -p "$work"
rm -rf "$work/src" "$work/built"
cp -R "$here/." "$work"
cd "$work"
# npm says much and nothing of use when all is well.
npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1 || { tail -n 20 npm.log >&2; exit 1; }
node build.mjs "$@"
[ "${1:-}" = --check ] || cp built/* "$here/built/"
