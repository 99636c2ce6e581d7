#!/bin/sh
# Installs what one image needs, as root: `install.sh system` what comes from the distribution,
# `install.sh python KIND` this project. KIND is cpu (the pip wheel's server), gpu (beside NVIDIA's
# own Triton) or convert. Used by the Dockerfile and by docker/checks/chroot alike.
set -eu

PREFIX=/opt/ppocr
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
ID=10001 # of the user that everything runs as; Kubernetes wants a number

system() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # libgomp1: Paddle's wheels do not bring it.
    apt-get install -q -y --no-install-recommends ca-certificates libgomp1 tini
    # Debian's and Ubuntu's own Python comes in parts; the one of Python's official image is whole.
    if [ ! -x /usr/local/bin/python3 ]; then
        apt-get install -q -y --no-install-recommends python3 python3-venv
        # Triton's Python stub embeds it.
        apt-get install -q -y --no-install-recommends \
            "libpython$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    fi
    rm -rf /var/lib/apt/lists/*
    groupadd --gid "$ID" ppocr
    useradd --uid "$ID" --gid "$ID" --home-dir /tmp --no-create-home --shell /usr/sbin/nologin ppocr
    # What is mounted or written: models, engines built by TensorRT, the converter's work.
    install -d -o ppocr -g ppocr /models /build /var/cache/ppocr-triton
}

python() {
    case $1 in
    cpu) extras=serve ;;
    gpu) extras=steps,endpoint ;;
    convert) extras=convert ;;
    *) echo "install.sh: '$1' is no kind of image; allowed: cpu, gpu, convert" >&2 && exit 2 ;;
    esac
    python3 -m venv "$PREFIX"
    "$PREFIX/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --quiet \
        -c "$SOURCE/constraints.txt" "${SOURCE}[$extras]"
    install -m 0755 "$SOURCE/docker/image/entrypoint.sh" "$PREFIX/bin/entrypoint"
}

case ${1:-} in
system) system ;;
python) python "${2:-}" ;;
*) echo "install.sh: what to install? system, or python KIND" >&2 && exit 2 ;;
esac
