# {{ site.name }}: {{ site.framework }}, built from the pnpm workspace in the repository's root and served by nginx.
#
#   docker build -f {{ site.path }}/Dockerfile .
#
# `check` runs beside `build`, and `build` waits for its mark at the end: an image of code that fails a check cannot
# be made, and the check costs no time where it passes.

# Base images are arguments so that a mirror or another build of them can be given.
ARG NODE_IMAGE={{ images.node }}
ARG NGINX_IMAGE={{ images.nginx }}

FROM ${NODE_IMAGE} AS toolchain
# The version of `packageManager` in package.json. Not by Corepack: newer releases of Node.js come without it.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm install --global pnpm@{{ pnpm }}
WORKDIR /app
# Tools show no questions and no progress bars.
ENV CI=true

FROM toolchain AS deps
# Manifests and the lock file alone: a change of a source file keeps the installed packages.
COPY {{ install_files | join(" ") }} ./
{%- for manifest in site.manifests %}
COPY {{ manifest.file }} {{ manifest.folder }}/
{%- endfor %}
# The store is a cache on the building machine: a new lock file downloads only what is new, and no layer holds it.
# The secret is optional; it carries credentials for a private registry and enters no layer either.
RUN --mount=type=cache,id=pnpm,target=/pnpm/store \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --frozen-lockfile --store-dir /pnpm/store --filter "{{ site.package }}..."

FROM deps AS sources
{%- if config_files %}
# What the tools of every workspace read.
COPY {{ config_files | join(" ") }} ./
{%- endif %}
{%- for library in site.libraries %}
COPY {{ library.path }} {{ library.path }}
RUN pnpm --filter "{{ library.package }}" run build
{%- endfor %}
COPY {{ site.path }} {{ site.path }}

FROM sources AS check
{%- for check in site.checks %}
RUN pnpm --filter "{{ site.package }}" run {{ check }}
{%- endfor %}
RUN mkdir /checked && touch /checked/{{ site.name }}

FROM sources AS build
# Readable for every user and writable for none, whatever the modes were in the checkout; files are not executable.
RUN pnpm --filter "{{ site.package }}" run {{ site.build }} \
    && chmod -R a=rX {{ site.path }}/{{ site.output }}
COPY --from=check /checked /checked

# No Node.js and none of its packages: files and a web server.
FROM ${NGINX_IMAGE} AS runtime
COPY --chmod=444 {{ site.path }}/nginx/nginx.conf /etc/nginx/nginx.conf
{%- if site.config %}
COPY --chmod=444 {{ site.path }}/nginx/{{ site.config.file }}.template /etc/nginx/templates/{{ site.config.file }}.template
{%- endif %}
COPY --from=build /app/{{ site.path }}/{{ site.output }} /srv/www
{%- if site.config %}
# At start the image's entrypoint fills the template from the environment: one image serves every installation. It
# writes to /tmp, the one place that is writable when the root file system is not.
ENV NGINX_ENVSUBST_OUTPUT_DIR=/tmp \
    NGINX_ENVSUBST_FILTER={{ site.config.settings | map(attribute="variable") | join("|") }}
{%- for setting in site.config.settings %} \
    {{ setting.variable }}={{ setting.default }}
{%- endfor %}
{%- endif %}
# By number: `runAsNonRoot` works without a look into /etc/passwd.
USER {{ site.uid }}:{{ site.uid }}
EXPOSE {{ site.port }}
# wget is busybox's. By address: `localhost` may mean ::1, where nothing listens.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["wget", "-q", "-T", "5", "-O", "/dev/null", "http://127.0.0.1:{{ site.port }}/health"]
# nginx finishes open requests on SIGQUIT; on SIGTERM it drops them.
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
