# {{ server.name }}: {{ server.framework }}, built from the pnpm workspace in the repository's root.
#
#   docker build -f {{ server.path }}/Dockerfile .
#
# toolchain -> deps -> sources -> check ----------.
#                   |          `-> build <- mark --' -> runtime
#                   `- prod-deps ------------------------^
#
# `check` runs beside `build`, and `build` waits for its mark at the end: an image of code that fails a check cannot
# be made, and the check costs no time where it passes.

# Base images are arguments so that a mirror or another build of them can be given.
ARG NODE_IMAGE={{ images.node }}
ARG RUNTIME_IMAGE={{ images.node_runtime }}

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
{%- for manifest in server.manifests %}
COPY {{ manifest.file }} {{ manifest.folder }}/
{%- endfor %}
# The store is a cache on the building machine: a new lock file downloads only what is new, and no layer holds it.
# The secret is optional; it carries credentials for a private registry and enters no layer either.
RUN --mount=type=cache,id=pnpm,target=/pnpm/store \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --frozen-lockfile --store-dir /pnpm/store --filter "{{ server.package }}..."

FROM deps AS sources
{%- if config_files %}
# What the tools of every workspace read.
COPY {{ config_files | join(" ") }} ./
{%- endif %}
{%- for library in server.libraries %}
COPY {{ library.path }} {{ library.path }}
RUN pnpm --filter "{{ library.package }}" run build
{%- endfor %}
COPY {{ server.path }} {{ server.path }}

FROM sources AS check
{%- for check in server.checks %}
RUN pnpm --filter "{{ server.package }}" run {{ check }}
{%- endfor %}
RUN mkdir /checked && touch /checked/{{ server.name }}

FROM sources AS build
# Readable for every user and writable for none but root, whatever the modes were in the checkout.
RUN pnpm --filter "{{ server.package }}" run {{ server.build }} \
    && chmod -R u=rwX,go=rX {{ server.readable | join(" ") }}
COPY --from=check /checked /checked

FROM toolchain AS prod-deps
COPY {{ install_files | join(" ") }} ./
{%- for manifest in server.manifests %}
COPY {{ manifest.file }} {{ manifest.folder }}/
{%- endfor %}
# pnpm links packages into node_modules of each workspace, so that all of them must reach the runtime.
# Type declarations and source maps are never loaded; what pnpm notes about the install holds the time of day, which
# would make every build a new image.
RUN --mount=type=cache,id=pnpm,target=/pnpm/store \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    pnpm install --prod --frozen-lockfile --store-dir /pnpm/store --filter "{{ server.package }}..." \
    && find . -type f \( -name "*.map" -o -name "*.d.ts" -o -name "*.d.cts" -o -name "*.d.mts" \) -delete \
    && rm -f node_modules/.modules.yaml node_modules/.pnpm-workspace-state*.json node_modules/.pnpm/lock.yaml \
        pnpm-lock.yaml pnpm-workspace.yaml .npmrc \
    && chmod -R u=rwX,go=rX .

# No shell and no package manager: what is not there cannot be used by an intruder.
FROM ${RUNTIME_IMAGE} AS runtime
WORKDIR /app/{{ server.path }}
# Everything belongs to root and is not writable for the user below: the program cannot change its own code.
COPY --from=prod-deps /app /app
{%- for library in server.libraries %}
COPY --from=build /app/{{ library.path }}/{{ library.output }} /app/{{ library.path }}/{{ library.output }}
{%- endfor %}
COPY --from=build /app/{{ server.path }}/{{ server.output }} ./{{ server.output }}
{%- if server.migrations_folder %}
# One image for the service and its migrations: they cannot be of different versions.
COPY --from=build /app/{{ server.path }}/{{ server.migrations_folder }} ./{{ server.migrations_folder }}
{%- endif %}
ENV NODE_ENV=production{% if server.reads_host %} \
    HOST=0.0.0.0{% endif %}{% if server.reads_port %} \
    PORT={{ server.port }}{% endif %}
# By number: `runAsNonRoot` and file owners on the host work without a name in /etc/passwd.
USER {{ server.uid }}:{{ server.uid }}
EXPOSE {{ server.port }}
# The image has no curl or wget; Node.js itself asks. {{ server.ready }} also looks at what the service depends on.
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD ["/nodejs/bin/node", "-e", "{{ server.probe }}"]
# The entrypoint of the base image is Node.js already: `node` here would be taken for a file.
CMD ["{{ server.entry }}"]
