#!/bin/sh
# The Python of this bundle with its packages and libraries, wherever it was unpacked.
here=$(cd "$(dirname "$0")" && pwd)
libraries=$here/lib
for folder in "$here"/packages/nvidia/*/lib; do
    [ -d "$folder" ] && libraries=$libraries:$folder
done
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PATH="$here/python/bin:${PATH:-/usr/bin:/bin}"
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1
exec "$here/python/bin/python3" "$@"
