#!/bin/sh
# The page of an open bucket in Chromium. `make test-browser` brings what it needs and builds the programs.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=$here/../../target
# A name of its own: a developer's t1-volumes may be open, and another run's. As tests/support/runs.rs gives them, so that what
# is left of a run that was killed is found by its name.
start=$(sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 20)
place=$(readlink /proc/self/ns/pid | tr -dc 0-9)
run=$(printf 'r%xs%xn%x' $$ "$start" $((place & 65535)))
image=magickbox-test/browser-$run
work=$target/browser

"$here/../../src/cli/buckets/open/page/build.sh" --check
mkdir -p "$work"
cp "$here/package.json" "$here/package-lock.json" "$here/editor.mjs" "$work"
cd "$work"
npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1 || { tail -n 20 npm.log >&2; exit 1; }
rm -rf study shots
"$target/debug/examples/phantom" study >/dev/null
docker tag t1-volumes:latest "$image:latest"
trap 'docker rm -fv "magickbox-open-magickbox-test_2fbrowser-$run" >/dev/null 2>&1; docker rmi "$image:latest" >/dev/null' EXIT
node editor.mjs "$target/debug/buckets" "$image" study shots
