{%- import "docker/nginx.Dockerfile" as n -%}
# {{ build.name }}: nginx in front of {{ nginx.upstreams | map(attribute="name") | join(", ") }}.
#
#   docker build -f {{ build.dockerfile }} .

# The base image is an argument so that a mirror or another build of it can be given.
{%- for image in build.images %}
ARG {{ image.argument }}={{ image.name }}
{%- endfor %}

FROM ${NGINX_IMAGE} AS runtime
COPY --chmod=444 {{ nginx.folder }}/nginx.conf /etc/nginx/nginx.conf
{{- n.templates(nginx) }}
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
