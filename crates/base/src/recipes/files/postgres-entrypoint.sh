#!/usr/bin/env bash
# Makes the cluster on the first start, then becomes the server. The environment is that of the official image:
#
#   POSTGRES_PASSWORD          of the superuser; needed unless POSTGRES_HOST_AUTH_METHOD=trust
#   POSTGRES_USER              the superuser                          (postgres)
#   POSTGRES_DB                the database to make                   (the user's name)
#   POSTGRES_INITDB_ARGS       further arguments of initdb
#   POSTGRES_INITDB_WALDIR     another place for the write-ahead log
#   POSTGRES_HOST_AUTH_METHOD  how clients prove who they are         (scram-sha-256)
#   PGDATA                     where the cluster is                   (/var/lib/postgresql/data)
#
# The first four may be given as NAME_FILE: the file's content is the value.
set -Eeuo pipefail

fail() {
    echo "docker-entrypoint.sh: error: $1" >&2
    shift
    for hint in "$@"; do echo "hint: $hint" >&2; done
    exit 1
}

# value NAME DEFAULT: sets NAME from itself, from the file that NAME_FILE names, or to the default.
value() {
    local name=$1 file_name="$1_FILE" default=${2:-}
    if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then
        fail "both $name and $file_name are set" "set one of them"
    fi
    local result=${!name:-$default}
    if [[ -n ${!file_name:-} ]]; then
        [[ -r ${!file_name} ]] || fail "$file_name: cannot read ${!file_name}" "the file must be readable by uid $(id -u)"
        result=$(<"${!file_name}")
    fi
    export "$name=$result"
    unset "$file_name"
}

make_cluster() {
    local authentication=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [[ -z $POSTGRES_PASSWORD && $authentication != trust ]]; then
        fail "no password for the superuser" \
            "set POSTGRES_PASSWORD_FILE (or POSTGRES_PASSWORD)" \
            "POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without one"
    fi
    local -a arguments=()
    if [[ -n $POSTGRES_INITDB_ARGS ]]; then
        # Quotes in the value group words, as in the official image
        eval "arguments=($POSTGRES_INITDB_ARGS)"
    fi
    if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
        arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
    fi
    # The password goes through a pipe: in an argument every process could read it. Just-in-time compilation is not in this image.
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --encoding=UTF8 --no-instructions \
        --auth-local=trust --auth-host=scram-sha-256 \
        --set=listen_addresses='*' --set=jit=off "${arguments[@]}"
    {
        echo
        echo "host all all all $authentication"
    } >>"$PGDATA/pg_hba.conf"
}

run_sql() {
    psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password --dbname "$POSTGRES_DB" "$@"
}

run_script() {
    echo "docker-entrypoint.sh: running $1" >&2
    case "$1" in
        *.sh) if [[ -x $1 ]]; then "$1"; else . "$1"; fi ;;
        *.sql) run_sql -f "$1" ;;
        *.sql.gz) gunzip -c "$1" | run_sql ;;
        *) echo "docker-entrypoint.sh: $1 is neither .sh, .sql nor .sql.gz: not run" >&2 ;;
    esac
}

# A server that nobody outside reaches, for the databases and scripts of the first start.
prepare() {
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -p ${PGPORT:-5432}" start
    if [[ $POSTGRES_DB != postgres ]]; then
        POSTGRES_DB=postgres run_sql --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    fi
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        if [[ -f $script ]]; then run_script "$script"; fi
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
}

# All or nothing: a start that is killed half-way leaves no cluster without its database or password behind. The cluster is made
# and filled in a folder of its own; PG_VERSION, by which a cluster is known, moves last.
first_start() {
    mkdir -p "$PGDATA" 2>/dev/null || true
    [[ -w $PGDATA ]] || fail "cannot write to $PGDATA as uid $(id -u)" "the volume must belong to that uid"
    chmod 0700 "$PGDATA" 2>/dev/null || true
    local final=$PGDATA new=$PGDATA/.new
    if [[ -e $new ]]; then
        echo "docker-entrypoint.sh: an earlier first start did not finish: beginning anew" >&2
        find "$final" -mindepth 1 -delete
    elif [[ -n $(find "$final" -mindepth 1 ! -name lost+found -print -quit) ]]; then
        fail "$final is not empty and holds no cluster" "give an empty volume, or set PGDATA to an empty folder below it"
    fi
    export PGDATA=$new
    make_cluster
    prepare
    export PGDATA=$final
    find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$final" {} +
    mv "$new/PG_VERSION" "$final/PG_VERSION"
    rmdir "$new"
}

main() {
    if [[ ${1:-} == -* ]]; then
        set -- postgres "$@"
    fi
    local wants_help=
    for argument in "$@"; do
        case "$argument" in
            -'?' | --help | --describe-config | -V | --version) wants_help=yes ;;
        esac
    done
    if [[ ${1:-} != postgres || -n $wants_help ]]; then
        exec "$@"
    fi

    if [[ $(id -u) == 0 ]]; then
        # Started as root on purpose, such as to give a bind mount its owner
        mkdir -p "$PGDATA" /run/postgresql
        find "$PGDATA" /run/postgresql \! -user postgres -exec chown postgres:postgres {} +
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
    fi

    if [[ ! -s $PGDATA/PG_VERSION ]]; then
        value POSTGRES_PASSWORD
        value POSTGRES_USER postgres
        value POSTGRES_DB "$POSTGRES_USER"
        value POSTGRES_INITDB_ARGS
        first_start
        echo "docker-entrypoint.sh: the cluster is ready" >&2
    else
        echo "docker-entrypoint.sh: $PGDATA holds a cluster already: not made again" >&2
    fi
    # The server has no use for the secret, and everything that it starts would inherit it.
    unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE PGPASSWORD
    exec "$@"
}

main "$@"
