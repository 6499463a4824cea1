#!/bin/sh
# Arguments as in the official image: options, and a word that is no program, are for node; everything else is the command.
set -e

is_program() {
    case "$1" in
        -*) return 1 ;;
    esac
    command -v "$1" >/dev/null 2>&1 || return 1
    # A script in the working directory that may not be executed is node's to run.
    [ ! -f "$1" ] || [ -x "$1" ]
}

if [ $# -gt 0 ] && ! is_program "$1"; then
    set -- node "$@"
fi
exec "$@"
