#!/usr/bin/env bash
# Makes the cookie by which nodes and tools know one another, then becomes the server. The environment is that of the official image:
#
#   RABBITMQ_DEFAULT_USER    the user of the first start      (guest)
#   RABBITMQ_DEFAULT_PASS    its password                     (guest)
#   RABBITMQ_DEFAULT_VHOST   the virtual host of the first start (/)
#   RABBITMQ_NODENAME        the node's name                  (rabbit@HOSTNAME)
#   RABBITMQ_ERLANG_COOKIE   the cookie, for nodes that form a cluster (made by chance)
#
# The server reads the first four itself. /etc/rabbitmq/conf.d/*.conf, /etc/rabbitmq/rabbitmq.conf and /etc/rabbitmq/enabled_plugins are
# read too; a secret in a file belongs there: default_pass = ...
set -Eeuo pipefail

fail() {
    echo "docker-entrypoint.sh: error: $1" >&2
    shift
    for hint in "$@"; do echo "hint: $hint" >&2; done
    exit 1
}

# What other images of stores have and the official image of this one has not is said and not passed over.
refuse_unknown() {
    local name
    for name in $(compgen -v | grep -E '^RABBITMQ_DEFAULT_.*_FILE$|^RABBITMQ_(SSL|MANAGEMENT_SSL)_|^RABBITMQ_VM_MEMORY_HIGH_WATERMARK$' || true); do
        fail "$name is not supported" "write it as a setting into a file in /etc/rabbitmq/conf.d"
    done
}

make_cookie() {
    local cookie=$HOME/.erlang.cookie
    if [[ -n ${RABBITMQ_ERLANG_COOKIE:-} ]]; then
        if [[ -s $cookie && $(<"$cookie") != "$RABBITMQ_ERLANG_COOKIE" ]]; then
            fail "$cookie holds another cookie than RABBITMQ_ERLANG_COOKIE" "remove one of them"
        fi
    elif [[ -s $cookie ]]; then
        return
    fi
    [[ -w $HOME ]] || fail "cannot write to $HOME as uid $(id -u)" "the volume must belong to that uid"
    # Whole or not there: Erlang refuses a cookie that others may read.
    local new
    new=$(mktemp "$HOME/.cookie.XXXXXX")
    printf '%s' "${RABBITMQ_ERLANG_COOKIE:-$(head -c 30 /dev/urandom | base64 | tr '+/' '-_')}" >"$new"
    chmod 0400 "$new"
    mv -f "$new" "$cookie"
}

main() {
    if [[ ${1:-} == -* ]]; then
        set -- rabbitmq-server "$@"
    fi
    if [[ ${1:-} != rabbitmq-server ]]; then
        exec "$@"
    fi
    if [[ $(id -u) == 0 ]]; then
        # Started as root on purpose, such as to give a bind mount its owner
        find "$HOME" \! -user rabbitmq -exec chown rabbitmq:rabbitmq {} +
        exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$BASH_SOURCE" "$@"
    fi
    refuse_unknown
    make_cookie
    # Everything that the server starts would inherit it.
    unset RABBITMQ_ERLANG_COOKIE
    exec "$@"
}

main "$@"
