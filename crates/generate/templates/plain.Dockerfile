{%- import "docker/nginx.Dockerfile" as n -%}
# {{ build.name }}: pages as they are, served by nginx.
#
#   docker build -f {{ build.dockerfile }} .

# The base image is an argument so that a mirror or another build of it can be given.
{%- for image in build.images %}
ARG {{ image.argument }}={{ image.name }}
{%- endfor %}

FROM ${NGINX_IMAGE} AS pages
USER 0
COPY --chmod=755 {{ build.plain.pages }} /srv/www
# What lies beside the pages and is none of them is for nobody to read.
RUN cd /srv/www && rm -rf nginx package.json package-lock.json \
    && for file in .[!.]*; do case "$file" in .well-known) ;; *) rm -rf "$file" ;; esac; done

FROM ${NGINX_IMAGE} AS runtime
COPY --chmod=444 {{ nginx.folder }}/nginx.conf /etc/nginx/nginx.conf
{{- n.templates(nginx) }}
COPY --from=pages /srv/www /srv/www
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
