#!/bin/sh
# The page of an open bucket in Chromium. `make test-browser` brings what it needs and builds the programs.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=$here/../../target
image=magickbox-test/browser
work=$target/browser

"$here/../../src/cli/buckets/open/page/build.sh" --check
mkdir -p "$work"
cp "$here/package.json" "$here/package-lock.json" "$here/editor.mjs" "$work"
cd "$work"
npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1 || { tail -n 20 npm.log >&2; exit 1; }
rm -rf study shots
"$target/debug/examples/phantom" study >/dev/null
# A name of its own: a developer's t1-volumes may be open.
docker tag t1-volumes:latest "$image:latest"
trap 'docker rmi "$image:latest" >/dev/null' EXIT
node editor.mjs "$target/debug/buckets" "$image" study shots
