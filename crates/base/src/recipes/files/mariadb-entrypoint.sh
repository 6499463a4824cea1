#!/usr/bin/env bash
# Makes the databases on the first start, then becomes the server. The environment is that of the official image; each name may begin
# with MYSQL_ instead of MARIADB_, and those with (F) may end in _FILE: the file's content is the value.
#
#   MARIADB_ROOT_PASSWORD (F)            of root; one of these four is needed
#   MARIADB_ROOT_PASSWORD_HASH (F)       the same as a hash, in the form that PASSWORD() gives
#   MARIADB_ALLOW_EMPTY_ROOT_PASSWORD    set: root has none
#   MARIADB_RANDOM_ROOT_PASSWORD         set: made by chance and written to the log
#   MARIADB_ROOT_HOST (F)                from where root may come     (%); localhost: from inside only
#   MARIADB_DATABASE (F)                 a database to make
#   MARIADB_USER (F)                     a user to make, who may do everything in it
#   MARIADB_PASSWORD (F)                 of the user; or MARIADB_PASSWORD_HASH (F)
#   MARIADB_INITDB_SKIP_TZINFO           set: leave out the tables of time zones
#   MARIADB_AUTO_UPGRADE                 set: run mariadb-upgrade when a newer server finds older databases
#
# /docker-entrypoint-initdb.d: *.sql, *.sql.gz, *.sql.xz, *.sql.zst and *.sh run once, in the order of their names, in MARIADB_DATABASE.
set -Eeuo pipefail

readonly SOCKET=/run/mysqld/mysqld.sock

say() {
    echo "docker-entrypoint.sh: $*" >&2
}

fail() {
    say "error: $1"
    shift
    for hint in "$@"; do echo "hint: $hint" >&2; done
    exit 1
}

# value NAME [DEFAULT]: sets MARIADB_NAME from itself, its older name, or the file that either's _FILE names.
value() {
    local plain=MARIADB_$1 default=${2:-} source= result= name
    for name in "MARIADB_$1" "MYSQL_$1"; do
        if [[ -n ${!name:-} ]]; then
            [[ -z $source || ${!name} == "$result" ]] || fail "both $source and $name are set, and differ" "set one of them"
            source=$name result=${!name}
        fi
    done
    for name in "MARIADB_$1_FILE" "MYSQL_$1_FILE"; do
        if [[ -n ${!name:-} ]]; then
            [[ -z $source ]] || fail "both $source and $name are set" "set one of them"
            [[ -r ${!name} ]] || fail "$name: cannot read ${!name}" "the file must be readable by uid $(id -u)"
            source=$name result=$(<"${!name}")
        fi
        unset "$name"
    done
    unset "MYSQL_$1"
    printf -v "$plain" '%s' "${result:-$default}"
    # for the scripts of the first start
    export "${plain?}"
}

read_values() {
    value ROOT_PASSWORD
    value ROOT_PASSWORD_HASH
    value ALLOW_EMPTY_ROOT_PASSWORD
    value RANDOM_ROOT_PASSWORD
    value ROOT_HOST %
    value DATABASE
    value USER
    value PASSWORD
    value PASSWORD_HASH
    value INITDB_SKIP_TZINFO
    if [[ -z $MARIADB_ROOT_PASSWORD$MARIADB_ROOT_PASSWORD_HASH$MARIADB_ALLOW_EMPTY_ROOT_PASSWORD$MARIADB_RANDOM_ROOT_PASSWORD ]]; then
        fail "no password for root" "set MARIADB_ROOT_PASSWORD_FILE (or MARIADB_ROOT_PASSWORD)" \
            "MARIADB_RANDOM_ROOT_PASSWORD=1 makes one and writes it to the log" \
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 lets everybody in without one"
    fi
    [[ $MARIADB_USER != root ]] || fail "MARIADB_USER is root, who is there anyway" "set MARIADB_ROOT_PASSWORD, and another MARIADB_USER"
    if [[ -n $MARIADB_USER && -z $MARIADB_PASSWORD$MARIADB_PASSWORD_HASH ]]; then
        fail "no password for $MARIADB_USER" "set MARIADB_PASSWORD_FILE (or MARIADB_PASSWORD)"
    fi
    if [[ -z $MARIADB_USER && -n $MARIADB_PASSWORD$MARIADB_PASSWORD_HASH ]]; then
        fail "MARIADB_PASSWORD without MARIADB_USER" "set MARIADB_USER, or MARIADB_ROOT_PASSWORD for root"
    fi
}

# What the official image knows and this one does not is said and not passed over.
refuse_unknown() {
    local name
    for name in $(compgen -v | grep -E '^(MARIADB|MYSQL)_(MASTER_|REPLICATION_|HEALTHCHECK_GRANTS|MYSQL_LOCALHOST_)' || true); do
        fail "$name is not supported by this image" "do it in a script in /docker-entrypoint-initdb.d"
    done
}

# A string in SQL.
quoted() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\'\'}"
}

# A name in SQL.
named() {
    printf '`%s`' "${1//\`/\`\`}"
}

# identified PASSWORD HASH
identified() {
    if [[ -n $2 ]]; then
        printf 'IDENTIFIED BY PASSWORD %s' "$(quoted "$2")"
    else
        printf 'IDENTIFIED BY %s' "$(quoted "$1")"
    fi
}

random_password() {
    head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}

# As root over the socket: the only way into the server of the first start.
run_sql() {
    mariadb --no-defaults --protocol=socket --socket="$SOCKET" --user=root --comments --batch "$@"
}

# The password goes by file, not by argument, which every process could read.
run_sql_as_root() {
    mariadb --defaults-extra-file=<(client_file) --protocol=socket --socket="$SOCKET" --user=root --comments --batch \
        ${MARIADB_DATABASE:+--database="$MARIADB_DATABASE"} "$@"
}

client_file() {
    local text=${MARIADB_ROOT_PASSWORD//\\/\\\\}
    printf '[client]\npassword="%s"\n' "${text//\"/\\\"}"
}

run_script() {
    say "running $1"
    case "$1" in
        *.sh) if [[ -x $1 ]]; then "$1"; else . "$1"; fi ;;
        *.sql) run_sql_as_root <"$1" ;;
        *.sql.gz) gzip -dc "$1" | run_sql_as_root ;;
        *.sql.xz) xz -dc "$1" | run_sql_as_root ;;
        *.sql.zst) zstd -dc "$1" | run_sql_as_root ;;
        *) say "$1 is neither .sh, .sql, .sql.gz, .sql.xz nor .sql.zst: not run" ;;
    esac
}

accounts() {
    if [[ -n $MARIADB_RANDOM_ROOT_PASSWORD ]]; then
        MARIADB_ROOT_PASSWORD=$(random_password)
        MARIADB_ROOT_PASSWORD_HASH=
        say "GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
    fi
    local root health=$1
    root=$(identified "$MARIADB_ROOT_PASSWORD" "$MARIADB_ROOT_PASSWORD_HASH")
    echo "SET SESSION sql_mode = '', sql_log_bin = 0;"
    # An installation has root at every name of the machine, without a password
    echo "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');"
    echo "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost'; FLUSH PRIVILEGES;"
    local host
    for host in localhost 127.0.0.1 ::1; do
        echo "CREATE USER healthcheck@'$host' $(identified "$health" ''); GRANT USAGE ON *.* TO healthcheck@'$host';"
    done
    if [[ $MARIADB_ROOT_HOST != localhost ]]; then
        echo "CREATE USER root@$(quoted "$MARIADB_ROOT_HOST") $root;"
        echo "GRANT ALL ON *.* TO root@$(quoted "$MARIADB_ROOT_HOST") WITH GRANT OPTION;"
    fi
    if [[ -n $MARIADB_DATABASE ]]; then
        echo "CREATE DATABASE IF NOT EXISTS $(named "$MARIADB_DATABASE");"
    fi
    if [[ -n $MARIADB_USER ]]; then
        echo "CREATE USER $(quoted "$MARIADB_USER")@'%' $(identified "$MARIADB_PASSWORD" "$MARIADB_PASSWORD_HASH");"
        if [[ -n $MARIADB_DATABASE ]]; then
            # In a grant `_` and `%` stand for other characters
            local pattern=${MARIADB_DATABASE//_/\\_}
            echo "GRANT ALL ON $(named "${pattern//%/\\%}").* TO $(quoted "$MARIADB_USER")@'%';"
        fi
    fi
    # last: from here on this session's successors need the password
    echo "ALTER USER root@localhost $root;"
}

# prepare FOLDER ARGUMENT...: a server that nobody outside reaches, for the accounts and scripts of the first start.
prepare() {
    local folder=$1 server health script
    shift
    "$@" --datadir="$folder" --socket="$SOCKET" --skip-networking --skip-slave-start --loose-innodb-buffer-pool-load-at-startup=0 &
    server=$!
    until run_sql -e 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || fail "the server of the first start ended" "its messages are above"
        sleep 0.1
    done
    if [[ -z $MARIADB_INITDB_SKIP_TZINFO ]]; then
        { echo 'SET SESSION sql_log_bin = 0;' && mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2>/dev/null; } |
            run_sql --database=mysql
    fi
    health=$(random_password)
    (umask 0077 && printf '[client]\nuser=healthcheck\npassword=%s\nprotocol=tcp\nport=%s\n' "$health" "$PORT" >"$folder/.my-healthcheck.cnf")
    run_sql <<<"$(accounts "$health")"
    if [[ -n $MARIADB_ROOT_PASSWORD_HASH ]]; then
        for script in /docker-entrypoint-initdb.d/*; do
            [[ ! -f $script ]] || fail "$script cannot run: of root's password there is only a hash" "set MARIADB_ROOT_PASSWORD_FILE"
        done
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        if [[ -f $script ]]; then run_script "$script"; fi
    done
    kill "$server"
    wait "$server" || fail "the server of the first start did not end well" "its messages are above"
}

# All or nothing: a start that is killed half-way leaves no databases without their accounts behind. They are made and filled in a folder
# of their own; `mysql`, by which they are known, moves last.
first_start() {
    mkdir -p "$DATADIR" 2>/dev/null || true
    [[ -w $DATADIR ]] || fail "cannot write to $DATADIR as uid $(id -u)" "the volume must belong to that uid"
    local new=$DATADIR/.new
    if [[ -e $new ]]; then
        say "an earlier first start did not finish: beginning anew"
        find "$DATADIR" -mindepth 1 ! -name lost+found -delete
    elif [[ -n $(find "$DATADIR" -mindepth 1 ! -name lost+found -print -quit) ]]; then
        fail "$DATADIR is not empty and holds no databases" "give an empty volume"
    fi
    mkdir "$new"
    say "making the databases"
    # without the binary log of a configuration: it would name this folder
    local output
    output=$(mariadb-install-db --datadir="$new" --rpm --auth-root-authentication-method=normal --skip-test-db \
        "${@:2}" --skip-log-bin 2>&1) ||
        fail "mariadb-install-db: $(grep -F '[ERROR]' <<<"$output" || echo "$output")" \
            "see the arguments and the files in /etc/mysql; the volume needs about 150 MB"
    prepare "$new" "$@" --skip-log-bin
    find "$new" -mindepth 1 -maxdepth 1 ! -name mysql -exec mv -t "$DATADIR" {} +
    mv "$new/mysql" "$DATADIR/mysql"
    rmdir "$new"
    server_version >"$DATADIR/mariadb_upgrade_info"
}

server_version() {
    mariadbd --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+-MariaDB' | head -n 1
}

# Whether the databases are of an older series than the server.
is_older() {
    local was now
    was=$(cut -d. -f1,2 "$DATADIR/mariadb_upgrade_info" 2>/dev/null || echo 0)
    now=$(server_version | cut -d. -f1,2)
    [[ $was != "$now" && $(printf '%s\n' "$was" "$now" | sort -V | head -n 1) == "$was" ]]
}

# upgrade ARGUMENT...: the tables of the server itself, after a newer version of it.
upgrade() {
    local server
    "$@" --socket="$SOCKET" --skip-networking --skip-slave-start --skip-grant-tables &
    server=$!
    until run_sql -e 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || fail "the server of the upgrade ended" "its messages are above"
        sleep 0.1
    done
    mariadb-upgrade --no-defaults --socket="$SOCKET" --user=root --upgrade-system-tables
    server_version >"$DATADIR/mariadb_upgrade_info"
    kill "$server"
    wait "$server"
}

# setting NAME ARGUMENT...: what the server would use, by its configuration and arguments.
setting() {
    local name=$1
    shift
    { "$@" --verbose --help 2>/dev/null || true; } | awk -v name="$name" '$1 == name { sub(/^[^ ]+ +/, ""); print; exit }'
}

main() {
    if [[ ${1:-} == -* ]]; then
        set -- mariadbd "$@"
    fi
    local argument
    for argument in "$@"; do
        case "$argument" in
            -'?' | --help | --print-defaults | -V | --version) exec "$@" ;;
        esac
    done
    case "${1:-}" in
        mariadbd | mysqld) ;;
        *) exec "$@" ;;
    esac
    refuse_unknown

    # a server of root's answers nothing until it knows who it shall become
    DATADIR=$(setting datadir "$@" --user=mysql)
    DATADIR=${DATADIR%/}
    PORT=$(setting port "$@" --user=mysql)
    [[ -n $DATADIR ]] || fail "the server refuses its arguments: $*" "$("$@" --user=mysql --verbose --help 2>&1 >/dev/null | grep -F '[ERROR]' | head -n 1)"

    if [[ $(id -u) == 0 ]]; then
        # Started as root on purpose, such as to give a bind mount its owner
        mkdir -p "$DATADIR" /run/mysqld
        find "$DATADIR" /run/mysqld \! -user mysql -exec chown mysql:mysql {} +
        exec setpriv --reuid=mysql --regid=mysql --init-groups "$BASH_SOURCE" "$@"
    fi

    if [[ ! -d $DATADIR/mysql ]]; then
        read_values
        first_start "$@"
        say "the databases are ready"
    else
        say "$DATADIR holds databases already: not made again"
        value AUTO_UPGRADE
        if [[ -n $MARIADB_AUTO_UPGRADE ]] && is_older; then
            say "upgrading the databases of an older server"
            upgrade "$@"
        fi
    fi
    # The server has no use for the secrets, and everything that it starts would inherit them.
    unset "${!MARIADB_ROOT_PASSWORD@}" "${!MARIADB_PASSWORD@}" "${!MYSQL_ROOT_PASSWORD@}" "${!MYSQL_PASSWORD@}"
    exec "$@"
}

main "$@"
