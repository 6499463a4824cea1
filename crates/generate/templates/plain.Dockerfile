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
{%- if nginx.config %}
COPY --chmod=555 {{ nginx.folder }}/{{ nginx.config.file }}.template /etc/nginx/templates/{{ nginx.config.file }}.template
{%- endif %}
COPY --from=pages /srv/www /srv/www
{%- if nginx.config %}
# At start the image's entrypoint fills the template from the environment: one image serves every installation. It
# writes to /tmp, the one place that is writable when the root file system is not.
ENV NGINX_ENVSUBST_OUTPUT_DIR=/tmp \
    NGINX_ENVSUBST_FILTER={{ nginx.config.settings | map(attribute="variable") | join("|") }}
{%- for setting in nginx.config.settings %} \
    {{ setting.variable }}={{ setting.default | docker }}
{%- endfor %}
{%- endif %}
# By number: `runAsNonRoot` works without a look into /etc/passwd.
USER {{ build.uid }}:{{ build.uid }}
EXPOSE {{ nginx.port }}
# wget is busybox's. By address: `localhost` may mean ::1, where nothing listens.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["wget", "-q", "-T", "5", "-O", "/dev/null", "http://127.0.0.1:{{ nginx.port }}{{ nginx.health }}"]
# nginx finishes open requests on SIGQUIT; on SIGTERM it drops them.
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
