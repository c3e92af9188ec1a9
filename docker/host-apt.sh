# docker/host-apt.sh, to be sourced: how this machine's apt reaches Debian, for the builds inside containers.
# shellcheck shell=sh
#
# A machine may reach Debian only through a mirror, a proxy or its own certificate authority. What it takes is read
# from the machine's apt and used while an image is built; none of it stays in the image.

# host_apt_sources [RELEASE]: the machine's archive lines for a Debian release (bookworm unless told), one "URI RELEASE"
# a line; nothing on a machine that is not Debian. A machine of another release uses the same mirrors: the release's
# name is exchanged.
host_apt_sources() {
    (
        wanted=${1:-bookworm}
        . /etc/os-release
        [ "$ID" = debian ] && command -v apt-get >/dev/null || exit 0
        # ORIGIN is known once the lists were fetched; before that the usual path on a mirror has to tell.
        apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
            awk -v host="$VERSION_CODENAME" -v wanted="$wanted" '
                NF == 3 && $1 ~ "/debian(-security)?/$" { $0 = "Debian " $0 }
                $1 == "Debian" && $4 == "main" && $3 ~ "^" host "(-security|-updates)?$" {
                    sub("^" host, wanted, $3)
                    if (!seen[$2 $3]++) print $2, $3
                }'
    )
}

# The mirror to bootstrap from; empty: debootstrap's own default.
host_apt_mirror() { host_apt_sources | awk '$2 == "bookworm" { print $1; exit }'; }

# Sets http_proxy and https_proxy from apt's settings where the environment has none.
host_apt_proxy() {
    command -v apt-config >/dev/null || return 0
    eval "$(apt-config shell apt_http Acquire::http::Proxy apt_https Acquire::https::Proxy)"
    export http_proxy="${http_proxy:-${apt_http:-}}" https_proxy="${https_proxy:-${apt_https:-}}"
}

# host_apt_write DIR [RELEASE]: writes DIR/apt.conf (for the variable APT_CONFIG) and what it names, with the paths it
# has as /tmp/host. With RELEASE "-", an image that is not Debian keeps its own archives.
host_apt_write() {
    sources=
    [ "${2:-}" = - ] || sources=$(host_apt_sources "${2:-}")
    : >"$1/apt.conf"
    if [ -n "$sources" ]; then
        # A signing key is not named: every Debian image trusts Debian's own.
        printf '%s\n' "$sources" | sed 's/.*/deb & main/' >"$1/sources.list"
        printf '%s\n' 'Dir::Etc::SourceList "/tmp/host/sources.list";' 'Dir::Etc::SourceParts "-";' >>"$1/apt.conf"
        # Snapshot mirrors serve lists past their date; such a machine has said so in its own settings.
        apt-config dump | grep -E '^Acquire::(Check-|Retries|ForceIPv)' >>"$1/apt.conf" || true
    fi
    if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
        cp -L /etc/ssl/certs/ca-certificates.crt "$1/ca-certificates.crt"
        echo 'Acquire::https::CaInfo "/tmp/host/ca-certificates.crt";' >>"$1/apt.conf"
    fi
}
