{%- import "docker/nginx.Dockerfile" as n -%}
{%- import "docker/node.Dockerfile" as m -%}
{%- set it = build.site -%}
# {{ build.name }}: {{ build.framework }}, built from {{ it.install.what }} and served by nginx.
#
#   docker build -f {{ build.dockerfile }} .
#
{%- if it.checks and not it.checks_need_build %}
# `check` runs beside `build`, and `build` waits for its mark at the end: an image of code that fails a check cannot
# be made, and the check costs no time where it passes.
{%- else %}
# toolchain -> deps -> sources -> build -> runtime
{%- endif %}

# Base images are arguments so that a mirror or another build of them can be given.
{%- for image in build.images %}
ARG {{ image.argument }}={{ image.name }}
{%- endfor %}

{{ m.toolchain(it, it.install) }}

{{ m.deps(it.install, false) }}

{{ m.sources(it, it.install) }}

{% if not it.checks_need_build %}{{ m.check(it, build.name) }}{% endif -%}
FROM sources AS {% if it.checks_need_build and it.checks %}built{% else %}build{% endif %}
# Readable for every user and writable for none, whatever the modes were in the checkout; files are not executable.
{%- if it.cache %}
# What one build has compiled stays on the building machine, for the next one and in no layer.
{%- endif %}
RUN {{ m.kept(it, build.name, stack.project) }}{% for command in it.build %}{{ command }} \
    && {% endfor %}chmod -R a=rX {{ it.output | shell }}
{%- if it.checks and not it.checks_need_build %}
COPY --from=check /checked /checked
{%- endif %}

{% if it.checks and it.checks_need_build -%}
{{ m.check(it, build.name) -}}
FROM built AS build
COPY --from=check /checked /checked

{% endif -%}
# No Node.js and none of its packages: files and a web server.
FROM ${NGINX_IMAGE} AS runtime
COPY --chmod=444 {{ nginx.folder }}/nginx.conf /etc/nginx/nginx.conf
{{- n.templates(nginx) }}
COPY --from=build /app/{{ it.output }} /srv/www
{{- n.environment(nginx) }}
# By number: `runAsNonRoot` works without a look into /etc/passwd.
USER {{ build.uid }}:{{ build.uid }}
EXPOSE {{ nginx.port }}{% if nginx.tls %} {{ nginx.tls.port }}{% endif %}
# wget is busybox's. By address: `localhost` may mean ::1, where nothing listens.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["wget", "-q", "-T", "5", "-O", "/dev/null", "http://127.0.0.1:{{ nginx.port }}{{ nginx.health }}"]
# nginx finishes open requests on SIGQUIT; on SIGTERM it drops them.
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
