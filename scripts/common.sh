# What the scripts share. Sourced, not run.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${BROWNOUT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/brownout}

# A checkout in CI is new each time; what cargo has built is kept outside of it.
if [[ ${CI:-} == true && -z ${CARGO_TARGET_DIR:-} ]]; then
    export CARGO_TARGET_DIR=$cache/target
fi
target=${CARGO_TARGET_DIR:-target}

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

# need COMMAND HOW: a command that cannot be installed for the user.
need() {
    command -v "$1" >/dev/null || die "$1 is missing: $2"
}

# install_packages PACKAGE...: Debian packages, where we may.
install_packages() {
    command -v apt-get >/dev/null || die "install $*: this is no Debian, where it would be done for you"
    local root=()
    if [[ $(id -u) != 0 ]]; then
        sudo -n true 2>/dev/null || die "run: sudo apt-get install $*"
        root=(sudo -n)
    fi
    say "installing Debian packages: $*"
    "${root[@]}" apt-get update -qq >&2
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# want_packages COMMAND=PACKAGE...: installs the packages whose commands are missing.
want_packages() {
    local missing=() pair
    for pair; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    if ((${#missing[@]})); then
        install_packages "${missing[@]}"
    fi
}

# What a node that runs pods is made of, beside what is built. Tests say where it is not enough.
want_node_packages() {
    want_packages containerd=containerd runc=runc /usr/lib/cni/bridge=containernetworking-plugins \
        ip=iproute2 nft=nftables conntrack=conntrack busybox=busybox-static
}

# The database of a bot with more than one replica; the tests start servers of their own. Debian would start one
# more, for nobody, unless it is told not to before.
want_postgres() {
    compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null && return
    if [[ $(id -u) == 0 && ! -e /etc/postgresql-common/createcluster.conf ]]; then
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    fi
    install_packages postgresql
}

need_rust() {
    need cargo "install Rust, see https://rustup.rs"
    want_packages cc=build-essential # rustc links with it, and the TLS library has some C in it
}

# What the cluster is made of is built with Go, once, unless it is there already.
need_go() {
    [[ -n ${KUBEBUILDER_ASSETS:-} ]] || compgen -G "$cache/bin/kube-apiserver-*" >/dev/null ||
        need go "install Go, see https://go.dev/doc/install"
}
