#!/bin/sh
# docker/setup.sh demo|test|browser: brings what `make demo`, `make test` or `make test-browser` needs onto a Debian or
# Ubuntu machine.
#
# Installs only what is missing, starts a Docker daemon only if none answers, stops nothing that runs.
# With nothing to do it is silent and takes a fraction of a second. It says each thing that it does on one line.
# Needs root or sudo without a password only if something is missing; else it prints the command to run.
set -eu

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
docker_answers() { has docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
purpose=${1:-}
case $purpose in demo | test | browser) ;; *) die "usage: docker/setup.sh demo|test|browser" ;; esac
# Debian keeps debootstrap, dockerd and Orthanc where a user's PATH may not look.
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin

# --- What is missing, as Debian package names -------------------------------------------------------------
missing=
need() { # need COMMAND PACKAGE...: the packages are missing if the command is
    has "$1" && return
    shift
    missing="$missing $*"
}
if has docker; then
    docker_answers || need dockerd docker.io
else
    missing=docker.io # up to Debian 12 with the client; later ones are looked after below
fi
need storescu dcmtk
need Orthanc orthanc
# For the base image, where no image registry answers; Ubuntu has Debian's keys in a package of their own.
need debootstrap debootstrap debian-archive-keyring
need cc gcc libc6-dev
need curl curl ca-certificates
need python3 python3
if [ "$purpose" = test ]; then
    need dciodvfy dicom3tools
    need openssl openssl
    [ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing="$missing orthanc-dicomweb"
    need c++ g++ # libFuzzer
    need xfs_io xfsprogs # cuts the power of a file system
    need mkfs.ext4 e2fsprogs
    need losetup mount
    need faketime faketime # sets a clock back
    need busybox busybox-static
    # The test images hold nothing but busybox: one that needs libraries would not start there.
    has busybox && ldd "$(command -v busybox)" >/dev/null 2>&1 && missing="$missing busybox-static"
    # Debian's python3 has the module venv but not ensurepip, which venv needs.
    has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
fi
if [ "$purpose" = browser ]; then
    need chromium chromium
    need node nodejs
    need npm npm
fi
missing=${missing# }

# --- Who we are -------------------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ]; then
    as_root=
elif has sudo && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    as_root=no
fi

# --- Packages ---------------------------------------------------------------------------------------------
# Debian's Orthanc starts a PACS on ports 4242 and 8042 as soon as it is installed, and at each boot. Nobody asked
# for that one: forbid the start while we install (a site's own policy-rc.d stays as it is), and the start at boot.
# Without systemd nothing may start: Docker's init script fails in many containers and its package with it.
install_packages() {
    policy=/usr/sbin/policy-rc.d
    ours=
    if [ ! -e $policy ]; then
        ours=yes
        printf '#!/bin/sh\n[ -d /run/systemd/system ] && [ "$1" != orthanc ] || exit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod 755 $policy
        trap '$as_root rm -f $policy' EXIT
    fi
    log=$(mktemp)
    apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300"
    # The lists of a fresh machine are empty or old: update when a package cannot be had without.
    $apt install -s --no-install-recommends $missing >/dev/null 2>&1 || update_lists
    # From Debian 13 on the client is a package of its own.
    if ! has docker && apt-cache show docker-cli >/dev/null 2>&1; then missing="$missing docker-cli"; fi
    say "installing $missing"
    $apt install --no-install-recommends $missing >"$log" 2>&1 || {
        update_lists # the version listed may be gone from the mirror
        $apt install --no-install-recommends $missing >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            die "apt-get failed (the whole log: $log)"
        }
    }
    rm -f "$log"
    case " $missing " in *' orthanc '*)
        [ ! -d /run/systemd/system ] || $as_root systemctl disable --now orthanc >/dev/null 2>&1 || true
        $as_root update-rc.d orthanc disable >/dev/null 2>&1 || true
        ;;
    esac
    if [ -n "$ours" ]; then
        $as_root rm -f $policy
        trap - EXIT
    fi
}
update_lists() {
    say "updating the package lists"
    $apt update >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "apt-get update failed"; }
}

if [ -n "$missing" ]; then
    has apt-get || die "missing: $missing (names as in Debian); install their like with this system's package manager"
    [ "$as_root" != no ] || die "missing: $missing; as root run: apt-get update && apt-get install -y --no-install-recommends $missing"
    install_packages
fi

# --- Rust -------------------------------------------------------------------------------------------------
# After the packages: the line needs curl. Distributions often carry a cargo that is too old for edition 2024.
rust_line="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
has cargo || die "no Rust toolchain; get it with: $rust_line"
minor=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 89 ] || die "$(cargo --version) is too old, 1.89 is needed; get it with: $rust_line"

# --- A Docker daemon --------------------------------------------------------------------------------------
start_docker() {
    if [ "$as_root" = no ]; then
        [ ! -S /var/run/docker.sock ] || die "this user may not use the Docker daemon; as root run: usermod -aG docker $(id -un), then log in again"
        die "no Docker daemon answers; as root run: systemctl start docker (without systemd: dockerd)"
    fi
    if [ -d /run/systemd/system ]; then
        say "starting Docker (systemctl start docker)"
        $as_root systemctl start docker || die "systemctl start docker failed; see: journalctl -u docker"
        log=
    else
        log=/var/log/dockerd.log
        say "starting Docker (dockerd, log $log)"
        # Its own session, so that it outlives this shell and whoever called it.
        $as_root setsid sh -c "exec dockerd >>$log 2>&1 </dev/null" &
    fi
    end=$(($(date +%s) + 90))
    until docker_answers; do
        if [ "$(date +%s)" -ge $end ]; then
            [ -z "$log" ] || tail -n 20 $log >&2
            die "Docker did not answer within 90 s"
        fi
        sleep 0.3
    done
}
docker_answers || start_docker
# A daemon that answers root may still refuse this user.
docker_answers || die "the Docker daemon does not answer this user; as root run: usermod -aG docker $(id -un), then log in again"

# --- Python packages of the tests -------------------------------------------------------------------------
# pynetdicom pulls in the pydicom that fits it; highdicom reads the reports that the node makes; lxml holds audit messages
# against their schema. The stamp is written last, so a broken venv is made anew.
if [ "$purpose" = test ]; then
    venv=$root/target/venv
    stamp=$venv/pynetdicom-3.0.4-highdicom-0.28.2-lxml-6.0.2
    if [ ! -e "$stamp" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        say "making target/venv with pynetdicom, highdicom and lxml"
        rm -rf "$venv"
        mkdir -p "$root/target"
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check 'pynetdicom==3.0.4' 'highdicom==0.28.2' \
            'lxml==6.0.2' >&2
        : >"$stamp"
    fi
fi
