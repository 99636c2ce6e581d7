#!/bin/sh
# What a container runs: options for ppocr-serve, or a command of one's own.
set -eu

case ${1:-} in
ppocr-* | python* | sh | bash) exec "$@" ;;
esac
exec ppocr-serve --model-repository "${PPOCR_REPOSITORY:-/models}" --host 0.0.0.0 --log-file - "$@"
