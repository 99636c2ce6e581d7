#!/bin/sh
# Arguments are options of ppocr-serve, or a whole command that is run instead.
set -eu

case ${1:-} in
ppocr-* | python* | sh | bash) exec "$@" ;;
esac
exec ppocr-serve --model-repository "${PPOCR_REPOSITORY:-/models}" --host 0.0.0.0 --log-file - "$@"
