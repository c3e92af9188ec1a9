#!/bin/sh
# docker/base/build.sh: the image magickbox/base:bookworm, a plain Debian 12 that buckets are built on.
# docker/base/build.sh --tar: its files as a tar on stdout, always made with debootstrap. `buckets create` brings this
# script along and uses it so, where no registry answers.
#
# Normally Debian's own image from the registry; where no registry answers, one made with debootstrap from the
# Debian mirror that this machine uses. Does nothing if the image is there: to make it anew, docker rmi it first.
set -eu

image=magickbox/base:bookworm
began=$(date +%s)
say() { printf 'base: %s (%s s)\n' "$*" "$(($(date +%s) - began))" >&2; }
die() { say "$*"; exit 1; }

case ${1:-} in
--tar) tar=yes ;;
*) tar= ;;
esac

is_there() { docker image inspect "$image" >/dev/null 2>&1; }
if [ -z "$tar" ]; then
    ! is_there || exit 0
    # Tests build several buckets at once: one of them makes the base, the others wait for it.
    exec 9<"$0"
    flock -w 1800 9 || die "another process has been making $image for half an hour"
    ! is_there || exit 0
fi

if [ -z "$tar" ] && timeout 120 docker pull -q debian:bookworm-slim >/dev/null 2>&1; then
    docker tag debian:bookworm-slim "$image"
    say "pulled debian:bookworm-slim as $image"
    exit 0
fi

. "$(dirname -- "$0")/../host-apt.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v debootstrap >/dev/null || die "no image registry answers and debootstrap is missing; as root run: apt-get install -y debootstrap debian-archive-keyring"
as_root=
[ "$(id -u)" = 0 ] || as_root='sudo -n -E'
mirror=$(host_apt_mirror)
host_apt_proxy
say "no image registry answers; bootstrapping Debian 12 from ${mirror:-the default mirror}"

# Not in /tmp, which may forbid device nodes.
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap '$as_root rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
chmod 755 "$work"
root=$work/root
$as_root debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; die "debootstrap failed"; }
say "bootstrapped"

# As in Debian's slim image: no documentation, now or from later packages, and no sync to disk for each file.
$as_root tee "$root/etc/dpkg/dpkg.cfg.d/image" >/dev/null <<'CFG'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
CFG
tar_root() { # of the documents the copyright files stay
    $as_root tar -C "$root" -c --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./dev/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' --exclude='./usr/share/locale/*' \
        --exclude='./var/log/*' --exclude='./usr/share/doc/*/[!c]*' \
        --exclude='./usr/share/doc/*/c[!o]*' . || touch "$work/failed"
}
if [ -n "$tar" ]; then
    tar_root
    [ ! -e "$work/failed" ] || die "packing the files failed"
    exit 0
fi
made=$(tar_root | docker import --change 'CMD ["bash"]' -)
[ ! -e "$work/failed" ] || { docker rmi "$made" >/dev/null; die "packing the image failed"; }
docker tag "$made" "$image"
say "made $image, $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB"
