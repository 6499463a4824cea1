#!/usr/bin/env bash
# Says by its exit code whether the server is well. Each test that is named must pass; options come before the tests that they are for.
#
#   --connect                    it takes connections over TCP (which it does not before the first start is over)
#   --innodb_initialized         InnoDB has finished its recovery
#   --innodb_buffer_pool_loaded  what was in memory at the last stop is there again
#   --mariadbupgrade             the tables of the server are those of its own version
#   --datadir=FOLDER             where the databases are                     (/var/lib/mysql)
#   --defaults-extra-file=FILE   who asks                                    (.my-healthcheck.cnf there, made at the first start)
set -euo pipefail

datadir=/var/lib/mysql
account=

fail() {
    echo "healthcheck: $1" >&2
    exit 1
}

ask() {
    local file=${account:-$datadir/.my-healthcheck.cnf}
    [[ -r $file ]] || fail "$file is not there: databases of another image name an account with --defaults-extra-file"
    mariadb --defaults-extra-file="$file" --protocol=tcp --host=127.0.0.1 --connect-timeout=5 \
        --skip-column-names --batch -e "$1"
}

connect() {
    # Without an account any answer is one: the server sends it before it asks who is there.
    if [[ -r ${account:-$datadir/.my-healthcheck.cnf} ]]; then
        [[ $(ask 'SELECT 1') == 1 ]] || fail "no answer"
    else
        mariadb-admin --no-defaults --protocol=tcp --host=127.0.0.1 --connect-timeout=5 ping >/dev/null 2>&1 || fail "no answer"
    fi
}

innodb_initialized() {
    [[ $(ask "SELECT COUNT(*) FROM information_schema.engines WHERE engine = 'InnoDB' AND support IN ('YES', 'DEFAULT')") == 1 ]] ||
        fail "InnoDB is not ready"
}

innodb_buffer_pool_loaded() {
    local status
    status=$(ask "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_buffer_pool_load_status'")
    case "$status" in
        *completed* | *'not started'* | '') ;;
        *) fail "$status" ;;
    esac
}

mariadbupgrade() {
    local was now
    was=$(cut -d. -f1,2 "$datadir/mariadb_upgrade_info" 2>/dev/null || true)
    now=$(ask 'SELECT VERSION()' | cut -d. -f1,2)
    [[ $was == "$now" ]] || fail "the tables are those of ${was:-another version}, the server is $now"
}

tested=
while [[ $# -gt 0 ]]; do
    case "$1" in
        --connect | --innodb_initialized | --innodb_buffer_pool_loaded | --mariadbupgrade)
            tested=yes
            "${1#--}"
            ;;
        --datadir=*) datadir=${1#*=} ;;
        --datadir)
            shift
            datadir=${1:-}
            ;;
        --defaults-extra-file=* | --defaults-file=*) account=${1#*=} ;;
        *) fail "$1 is not known; there are --connect, --innodb_initialized, --innodb_buffer_pool_loaded and --mariadbupgrade" ;;
    esac
    shift
done
[[ -n $tested ]] || fail "no test is named: --connect --innodb_initialized"
