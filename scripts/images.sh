#!/usr/bin/env bash
# Builds the images of the operator and of the bot, without a daemon where there is none:
# target/images/{brownout,chatbotler}.tar, which docker and podman load, skopeo pushes and containerd imports.
set -euo pipefail
source "$(dirname "$0")/common.sh"

platform=$(uname -m)-unknown-linux-musl # static: the images hold no C library
bundle=/etc/ssl/certs/ca-certificates.crt
images=$target/images
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

# compile: both binaries, as they are published.
compile() {
    need_rust
    want_packages musl-gcc=musl-tools # for the C in the TLS library
    rustc --print target-libdir --target "$platform" 2>/dev/null | xargs test -d ||
        rustup target add "$platform"
    cargo build --quiet --locked --release --target "$platform" --bins \
        -p brownout -p chatbotler --features chatbotler/watch
}

# choose_engine: what can build images here. A docker without a daemon cannot.
choose_engine() {
    local each
    for each in buildah podman; do
        command -v "$each" >/dev/null && engine=$each && return
    done
    if docker info >/dev/null 2>&1; then
        engine=docker
    else
        install_packages buildah
        engine=buildah
    fi
}

# Buildah with a store for this once and without mounts: it then needs no set-up.
once_buildah() {
    buildah --storage-driver vfs --root "$store/root" --runroot "$store/run" "$@"
}

# build NAME DOCKERFILE: the image NAME:VERSION, and NAME.tar.
build() {
    local name=$1 file=$2 context=$images/$1 archive=$images/$1.tar
    install -D -t "$context" "$target/$platform/release/$name"
    install -D -m 644 -t "$context" "$bundle"
    rm -f "$archive" # an archive is not written over
    case $engine in
    buildah)
        once_buildah bud --quiet --isolation chroot -t "$name:$version" -f "$file" "$context" >/dev/null
        once_buildah push --quiet "$name:$version" "docker-archive:$archive:$name:$version"
        ;;
    podman)
        podman build --quiet -t "$name:$version" -f "$file" "$context" >/dev/null
        podman save --quiet --format docker-archive -o "$archive" "$name:$version"
        ;;
    docker)
        docker build --quiet -t "$name:$version" -f "$file" "$context" >/dev/null
        docker save -o "$archive" "$name:$version"
        ;;
    esac
    printf '%-20s %5s MiB  %s\n' "$name:$version" "$(mebibytes "$archive")" "$archive"
}

mebibytes() {
    awk -v bytes="$(stat -c %s "$1")" 'BEGIN {printf "%.1f", bytes / 1048576}'
}

[[ -f $bundle ]] || install_packages ca-certificates
choose_engine
say "building the operator and the bot for $platform"
compile
store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
build brownout Dockerfile
build chatbotler bot/Dockerfile
