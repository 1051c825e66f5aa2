#!/usr/bin/env bash
# Builds the OCI image from a built program: image.sh PROGRAM [NAME:TAG]. Uses the first of buildah, podman and docker
# that is installed, or the one that BUILDER names. It downloads nothing: the libraries of the program are copied from
# this machine.
set -euo pipefail

program=$(realpath "${1:?usage: image.sh PROGRAM [NAME:TAG]}")
tag=${2:-portico:latest}
here=$(cd "$(dirname "$0")" && pwd)

builder=${BUILDER:-}
for candidate in buildah podman docker; do
    [ -n "$builder" ] || ! command -v "$candidate" >/dev/null || builder=$candidate
done
[ -n "$builder" ] || { echo "image.sh needs buildah, podman or docker" >&2; exit 69; }

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
root=$context/root

install -D -m 0755 "$program" "$root/usr/bin/portico"
# The loader and each library, at the path where the program looks for it. A static program has none.
{ ldd "$program" 2>/dev/null || true; } | grep -o '/[^ ]*' | sort -u | while read -r library; do
    install -D -m 0755 "$(realpath "$library")" "$root$library"
done
mkdir -p "$root/etc" "$root/tmp"
chmod 1777 "$root/tmp"
printf 'portico:x:65532:65532::/data:/nonexistent\n' >"$root/etc/passwd"
printf 'portico:x:65532:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
install -d -m 0700 "$context/owned/data"
install -d -m 0755 "$context/owned/run/portico"

case $builder in
*buildah | *podman) build=(build --format docker) ;; # The OCI format has no health check.
*) build=(build) ;;
esac
"$builder" "${build[@]}" --file "$here/Containerfile" --tag "$tag" "$context"
