#!/bin/sh
# docker/buckets/build.sh NAME: builds the example bucket in the folder NAME as the image NAME:latest.
#
# The image carries a hash of the folder and of its base as a label: nothing is done if it is up to date.
set -eu

name=${1:?usage: docker/buckets/build.sh NAME}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=$here/$name
image=$name:latest
base=magickbox/base:bookworm
began=$(date +%s)
say() { printf '%s: %s (%s s)\n' "$name" "$*" "$(($(date +%s) - began))" >&2; }
die() { say "$*"; exit 1; }

[ -f "$folder/Dockerfile" ] || die "no such bucket: $folder/Dockerfile is missing"
"$here/../base/build.sh"

# Names, modes and contents of the folder, and the identity of the base.
content=$({
    docker image inspect --format '{{.Id}}' "$base"
    cd "$folder"
    find . -type f -printf '%m %p\n' | LC_ALL=C sort
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
} | sha256sum | cut -c1-32)
old=$(docker image inspect --format '{{.Id}} {{index .Config.Labels "magickbox.content"}}' "$image" 2>/dev/null || true)
[ "${old#* }" != "$content" ] || exit 0

# The build sees a copy of the folder, with this machine's way to Debian in host/ (empty in the folder itself).
. "$here/../host-apt.sh"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -R "$folder/." "$context/"
mkdir -p "$context/host"
host_apt_write "$context/host"
host_apt_proxy

say "building $image"
# The host's network: a proxy or mirror on the loopback address is reached too. Proxies are passed as build
# arguments, which Docker keeps out of the image.
docker build --network host --build-arg http_proxy --build-arg https_proxy --label "magickbox.content=$content" \
    -t "$image" "$context" >"$context/host/log" 2>&1 || { tail -n 30 "$context/host/log" >&2; die "docker build failed"; }
# The image that this one takes the place of; one that a container still uses stays.
[ -z "$old" ] || docker rmi "${old% *}" >/dev/null 2>&1 || true
say "built $image, $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB"
