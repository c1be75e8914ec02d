#!/bin/sh
# Print the first Python 3.10-3.12 that really runs (a pyenv shim may exist and fail), or say in
# one line what is wrong. Usage: find_python.sh [PYTHON]
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

if [ -n "$1" ]; then
    if ! found=$(version_of "$1"); then
        echo "PYTHON=$1 does not run: give the path of a Python 3.10, 3.11 or 3.12" >&2
        exit 2
    fi
    case "$found" in
        3.10|3.11|3.12) command -v "$1"; exit 0 ;;
    esac
    echo "PYTHON=$1 is Python $found, but dcglr_mm needs 3.10, 3.11 or 3.12" >&2
    exit 2
fi

seen=
for candidate in python3.11 python3.12 python3.10 python3 python; do
    found=$(version_of "$candidate") || continue
    case "$found" in
        3.10|3.11|3.12) command -v "$candidate"; exit 0 ;;
    esac
    seen="$seen $candidate=$found"
done
echo "no Python 3.10, 3.11 or 3.12 found (found:${seen:- none}); install one or run make with" \
    "PYTHON=/path/to/python" >&2
exit 2
