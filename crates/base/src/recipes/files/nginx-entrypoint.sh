#!/bin/sh
# Fills the templates from the environment, then becomes the command.
#
#   NGINX_ENVSUBST_TEMPLATE_DIR     where templates are           (/etc/nginx/templates)
#   NGINX_ENVSUBST_TEMPLATE_SUFFIX  what their names end in       (.template)
#   NGINX_ENVSUBST_OUTPUT_DIR       where the results go          (/etc/nginx/conf.d)
#   NGINX_ENVSUBST_FILTER           regular expression of the variables that are filled in (all)
#   NGINX_ENTRYPOINT_QUIET_LOGS     set: say nothing
set -eu

say() {
    if [ -z "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ]; then
        echo "docker-entrypoint.sh: $*" >&2
    fi
}

fill_templates() {
    templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
    suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
    output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
    [ -d "$templates" ] || return 0
    [ -n "$(find "$templates" -follow -type f -name "*$suffix" | head -n 1)" ] || return 0
    # Tried, not asked for: on a read-only root the permission bits say yes.
    if ! { mkdir -p "$output" && touch "$output/.writable" && rm "$output/.writable"; } 2>/dev/null; then
        say "error: $templates has templates, but $output is not writable"
        say "hint: set NGINX_ENVSUBST_OUTPUT_DIR to a directory in a tmpfs"
        exit 1
    fi

    # Only names that are set are filled in: nginx's own variables must stay as they are.
    names=$(NGINX_ENVSUBST_FILTER="${NGINX_ENVSUBST_FILTER:-}" awk '
        BEGIN {
            for (name in ENVIRON)
                if (name ~ /^[A-Za-z_][A-Za-z0-9_]*$/ && name ~ ENVIRON["NGINX_ENVSUBST_FILTER"])
                    printf "${%s} ", name
        }')

    find "$templates" -follow -type f -name "*$suffix" | sort | while IFS= read -r template; do
        name=${template#"$templates"/}
        result=$output/${name%"$suffix"}
        mkdir -p "$(dirname "$result")"
        say "filling $template into $result"
        envsubst "$names" <"$template" >"$result"
    done
}

case "${1:-}" in
    nginx | nginx-debug | /usr/sbin/nginx) fill_templates ;;
esac
exec "$@"
