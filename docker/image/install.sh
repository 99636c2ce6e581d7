#!/bin/sh
# Installs one image's software, as root. The Dockerfile and docker/checks/chroot both run it.
#   install.sh system       packages of the distribution, the user, folders
#   install.sh python KIND  this project; KIND is cpu (with the pip wheel's Triton server), gpu
#                           (for NVIDIA's own Triton image) or convert
set -eu

PREFIX=/opt/ppocr
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
ID=10001 # user and group; Kubernetes checks runAsNonRoot by number

system() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # Paddle's wheels need libgomp1 and do not bring it.
    apt-get install -q -y --no-install-recommends ca-certificates libgomp1 tini
    # Python's official image has all of Python in /usr/local; Debian and Ubuntu split it.
    if [ ! -x /usr/local/bin/python3 ]; then
        apt-get install -q -y --no-install-recommends python3 python3-venv
        # Triton's Python backend needs libpython.
        apt-get install -q -y --no-install-recommends \
            "libpython$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    fi
    rm -rf /var/lib/apt/lists/*
    groupadd --gid "$ID" ppocr
    useradd --uid "$ID" --gid "$ID" --home-dir /tmp --no-create-home --shell /usr/sbin/nologin ppocr
    # Mounted or written: models, the converter's work, the engines that TensorRT builds.
    install -d -o ppocr -g ppocr /models /build /var/cache/ppocr-triton
}

python() {
    case $1 in
    cpu) extras=serve ;;
    gpu) extras=steps,endpoint ;;
    convert) extras=convert ;;
    *) echo "install.sh: unknown image '$1'; allowed: cpu, gpu, convert" >&2 && exit 2 ;;
    esac
    python3 -m venv "$PREFIX"
    "$PREFIX/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --quiet \
        -c "$SOURCE/constraints.txt" "${SOURCE}[$extras]"
    install -m 0755 "$SOURCE/docker/image/entrypoint.sh" "$PREFIX/bin/entrypoint"
}

case ${1:-} in
system) system ;;
python) python "${2:-}" ;;
*) echo "install.sh: unknown part '${1:-}'; allowed: system, python KIND" >&2 && exit 2 ;;
esac
