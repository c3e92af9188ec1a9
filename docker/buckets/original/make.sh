#!/bin/sh
# docker/buckets/original/make.sh [NAME]: makes the bucket NAME (default: original) the way buckets of the original
# MagickBox are made by hand: a container is changed, committed, exported and imported. What an import loses (CMD, ENV,
# ENTRYPOINT, USER, WORKDIR, labels, layers) is lost here too: a node must not need any of it.
set -eu

name=${1:-original}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
base=magickbox/base:bookworm
"$here/../../base/build.sh"

made=
trap '[ -z "$made" ] || docker rm -f $made >/dev/null' EXIT
step() { printf 'original: %s\n' "$*" >&2; }

step "a container of $base, changed by hand"
first=$(docker run -d --rm --network none "$base" sleep 600)
made="$made $first"
docker cp -q "$here/root/." "$first:/root/" 2>/dev/null || docker cp "$here/root/." "$first:/root/"
docker exec "$first" sh -c 'chown -R root:root /root && chmod 755 /root/work.sh /root/storage/db-plugin.code'

step "docker commit"
committed=$(docker commit "$first")

step "docker export | docker import"
second=$(docker create "$committed" true)
made="$made $second"
docker export "$second" | docker import - "$name" >/dev/null
docker rm -f $made >/dev/null
made=
docker rmi "$committed" >/dev/null
step "made $name, $(($(docker image inspect --format '{{.Size}}' "$name") / 1000000)) MB"
