#!/bin/sh
# Installs what the build links with, through the system's package manager, and says what it does.
# Needs nothing else: a Rust toolchain, a C toolchain and Python 3 are expected to be there.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

for tool in cargo cc python3; do
    have "$tool" || { echo "setup: '$tool' is missing: install a Rust toolchain (rustup.rs), a C compiler and Python 3" >&2; exit 1; }
done

if have pkg-config && pkg-config --exists z3 2>/dev/null; then
    exit 0
fi
if have pkg-config && echo 'int main(void){return 0;}' | cc -x c - -lz3 -o /dev/null 2>/dev/null &&
    echo '#include <z3.h>' | cc -x c -fsyntax-only - 2>/dev/null; then
    exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    have sudo && as_root=sudo
fi

if have apt-get; then
    echo "setup: installing libz3-dev and pkg-config with apt-get" >&2
    $as_root apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq libz3-dev pkg-config >&2
elif have dnf; then
    echo "setup: installing z3-devel and pkgconf-pkg-config with dnf" >&2
    $as_root dnf install -y -q z3-devel pkgconf-pkg-config >&2
elif have brew; then
    echo "setup: installing z3 and pkg-config with brew" >&2
    brew install -q z3 pkg-config >&2
else
    echo "setup: libz3 is missing and there is no apt-get, dnf or brew here." >&2
    echo "setup: install Z3 with its headers, or build it from source: make FEATURES='--features vendored-z3' demo" >&2
    exit 1
fi
