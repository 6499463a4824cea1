#!/bin/sh
# Arguments as in the official image: options or a configuration file alone mean redis-server.
set -eu

case "${1:-}" in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    # What Redis writes (dump, append-only file) is nobody else's business.
    umask 0077

    # Protected mode refuses every client that is not on the same host, which in a container is every client. It goes
    # unless the caller decides: the port is reachable only from the networks that the container was put in.
    decided=
    for argument in "$@"; do
        case "$argument" in
            --protected-mode) decided=yes ;;
            --*) ;;
            *) if [ -f "$argument" ] && grep -qs '^[[:space:]]*protected-mode' "$argument"; then decided=yes; fi ;;
        esac
    done
    if [ -z "$decided" ]; then
        set -- "$@" --protected-mode no
    fi
fi
exec "$@"
