#!/bin/sh
# sh BUNDLE/run.sh DIR [OPTIONS of `ppocr-bench gpu run`]
# Checks the pieces beside this file, unpacks them into DIR/bundle, and measures into DIR.
# Needs Linux on x86-64 with glibc 2.35, and sh, bash, cat, mkdir, dirname, tar, gzip,
# sha256sum.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?"usage: sh $0 DIR [OPTIONS]; DIR is for the results"}
shift
mkdir -p "$out/bundle"
out=$(cd "$out" && pwd)
if [ "$(cat "$out/bundle/SHA256SUMS" 2>/dev/null)" != "$(cat "$here/SHA256SUMS")" ]; then
    echo "run.sh: checking and unpacking into $out/bundle" >&2
    (cd "$here" && sha256sum -c SHA256SUMS >/dev/null) || {
        echo "run.sh: a piece is missing or damaged; copy it again" >&2
        exit 1
    }
    cat "$here"/piece-* | tar -xzf - -C "$out/bundle"
    cat "$here/SHA256SUMS" >"$out/bundle/SHA256SUMS"
fi
set -- gpu run "$out/bundle" --out "$out" "$@"
[ -x "$out/bundle/python3" ] || exec ppocr-bench "$@"
exec "$out/bundle/python3" -c "from ppocr_bench.cli import main; raise SystemExit(main())" "$@"
