{%- import "docker/node.Dockerfile" as m -%}
{%- import "docker/account.Dockerfile" as account -%}
{%- set it = build.node -%}
# {{ build.name }}: {{ build.framework }}, built from {{ it.install.what }}.
#
#   docker build -f {{ build.dockerfile }} .
#
{%- if it.checks and not it.bundle %}
# toolchain -> deps -> sources -> check ----------.
{%- if it.install.prunes %}
#                   |          `-> build <- mark --' -> runtime
#                   `- prod-deps ------------------------^
{%- else %}
#            |                 `-> build <- mark --' -> runtime
#            `- prod-deps -------------------------------^
{%- endif %}
#
# `check` runs beside `build`, and `build` waits for its mark at the end: an image of code that fails a check cannot
# be made, and the check costs no time where it passes.
{%- elif it.bundle %}
# toolchain -> deps -> sources -> build -> runtime
{%- else %}
# toolchain -> deps -> sources -> build -> runtime
{%- if it.install.prunes %}
#                   `- prod-deps ------------^
{%- else %}
#            `- prod-deps -------------------^
{%- endif %}
{%- endif %}

# Base images are arguments so that a mirror or another build of them can be given.
{%- for image in build.images %}
ARG {{ image.argument }}={{ image.name }}
{%- endfor %}

{{ m.toolchain(it, it.install) }}

{{ m.deps(it.install, it.install.prunes and not it.bundle) }}

{{ m.sources(it, it.install) }}

{% if not it.checks_need_build %}{{ m.check(it, build.name) }}{% endif -%}
FROM sources AS {% if it.checks_need_build and it.checks %}built{% else %}build{% endif %}
{%- if it.build %}
{%- if it.cache %}
# What one build has compiled stays on the building machine, for the next one and in no layer.
{%- endif %}
{%- if it.bundle %}
{%- for command in it.build %}
RUN {% if loop.last %}{{ m.kept(it, build.name, stack.project) }}{% endif %}{{ command }}
{%- endfor %}
# Readable for every user and writable for none but root, whatever the modes were in the checkout.
RUN chmod -R u=rwX,go=rX {% for copy in it.bundle %}{{ copy.from | shell }}{% if not loop.last %} {% endif %}{% endfor %}
{%- elif it.output %}
# Readable for every user and writable for none but root, whatever the modes were in the checkout.
RUN {{ m.kept(it, build.name, stack.project) }}{{ it.build | join(" \\\n    && ") }} \
    && chmod -R u=rwX,go=rX {% for path in it.readable %}{{ path | shell }}{% if not loop.last %} {% endif %}{% endfor %}
{%- else %}
RUN {{ m.kept(it, build.name, stack.project) }}{{ it.build | join(" \\\n    && ") }}
{%- endif %}
{%- endif %}
{%- if it.generated and not it.bundle %}
# What the build writes among the packages; the packages of production come from a stage of their own.
RUN cd /app && mkdir /generated && cp -r --parents {{ it.generated | join(" ") }} /generated && chmod -R u=rwX,go=rX /generated
{%- endif %}
{%- if not it.output and not it.bundle %}
# The program runs from its sources, with the packages of the stage below. Readable for every user and writable for none
# but root, whatever the modes were in the checkout.
RUN find /app -name node_modules -prune -exec rm -rf {} + && chmod -R u=rwX,go=rX /app
{%- endif %}
{%- if it.writable %}
# Folders that the program writes, empty: a volume takes their owner over.
RUN mkdir -p {% for path in it.writable %}/writable{{ path }}{% if not loop.last %} {% endif %}{% endfor %}
{%- endif %}
{%- if it.distroless %}
{{ account.made(build.uid) }}
{%- endif %}
{%- if it.checks and not it.checks_need_build %}
COPY --from=check /checked /checked
{%- endif %}

{% if it.checks and it.checks_need_build -%}
{{ m.check(it, build.name) -}}
FROM built AS build
COPY --from=check /checked /checked

{% endif -%}
{%- if not it.bundle -%}
{%- if it.install.prunes -%}
FROM deps AS prod-deps
# What `deps` has, less what only a build needs: quicker than a second install, and of the same versions.
{%- else -%}
FROM toolchain AS prod-deps
{{ m.manifests(it.install) }}
{%- endif %}
{%- if it.install.pnpm %}
# pnpm links packages into node_modules of each workspace, so that all of them must reach the runtime.
{%- endif %}
{%- if it.install.development %}
# With the packages for development: the program needs {{ it.install.development }} when it runs. What {% if it.install.pnpm %}pnpm notes{% else %}is noted{% endif %} about
# the install holds the time of day, which would make every build a new image.
{%- else %}
# Type declarations and source maps are never loaded; what {% if it.install.pnpm %}pnpm notes{% else %}is noted{% endif %} about the install holds the time of day, which
# would make every build a new image.
{%- endif %}
{%- if it.install.lean_script %}
# npm keeps tools for development that another package has as an optional peer; nothing runs them here.
COPY docker/lean.cjs /lean.cjs
{%- endif %}
RUN {% if it.install.asks_manager %}--mount=type=cache,{{ it.install.cache }} \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    {% endif %}{{ it.install.production | join(" \\\n    && ") }}

{% endif -%}
{%- if it.distroless -%}
# No shell and no package manager: what is not there cannot be used by an intruder.
FROM ${RUNTIME_IMAGE} AS runtime
{{ account.copied() }}
{%- else -%}
{%- if it.brings_node -%}
# A shell and Debian's usual programs, and of Node.js the executable alone: nothing installs packages here.
FROM ${RUNTIME_IMAGE} AS runtime
COPY --from=toolchain /usr/local/bin/node /usr/local/bin/node
{%- else -%}
FROM ${RUNTIME_IMAGE} AS runtime
{%- endif %}
{%- if it.system_packages %}
# Programs and libraries of the system that it needs when it runs.
RUN apt-get update && apt-get install -y --no-install-recommends {{ it.system_packages | join(" ") }} \
    && rm -rf /var/lib/apt/lists/*
{%- endif %}
{{ account.added(build.uid) }}
{%- endif %}
WORKDIR {{ it.sources.workdir }}
# Everything belongs to root and is not writable for the user below: the program cannot change its own code.
{%- if it.bundle %}
{%- for copy in it.bundle %}
COPY --from=build {{ copy.from }} {{ copy.to }}
{%- endfor %}
{%- else %}
COPY --from=prod-deps /app /app
{%- for library in it.libraries %}
{%- if library.output %}
COPY --from=build /app/{{ library.path }}/{{ library.output }} /app/{{ library.path }}/{{ library.output }}
{%- elif it.output %}
COPY --from=build /app/{{ library.path }} /app/{{ library.path }}
{%- endif %}
{%- endfor %}
{%- if it.output %}
COPY --from=build /app/{{ it.sources.prefix }}{{ it.output }} ./{{ it.output }}
{%- for extra in it.extras %}
COPY --from=build /app/{{ it.sources.prefix }}{{ extra }} ./{{ extra }}
{%- endfor %}
{%- else %}
COPY --from=build /app /app
{%- endif %}
{%- if it.generated %}
COPY --from=build /generated /app
{%- endif %}
{%- if it.migrations_folder and it.output and it.migrations_folder not in it.extras %}
# One image for the service and its migrations: they cannot be of different versions.
COPY --from=build /app/{{ it.sources.prefix }}{{ it.migrations_folder }} ./{{ it.migrations_folder }}
{%- endif %}
{%- endif %}
{%- if it.writable | select("startingwith", "/app/") %}
COPY --from=build --chown={{ build.uid }}:{{ build.uid }} /writable/app /app
{%- endif %}
{%- for path in it.writable if not path is startingwith("/app/") %}
COPY --from=build --chown={{ build.uid }}:{{ build.uid }} /writable{{ path }} {{ path }}
{%- endfor %}
{%- if it.launcher %}
# The program reads its secrets from variables alone: this sets them from files when it starts.
COPY --chmod=555 docker/secrets.cjs /launcher/secrets.cjs
{%- endif %}
{%- if it.heartbeat %}
COPY --chmod=555 docker/heartbeat.cjs /launcher/heartbeat.cjs
{%- endif %}
ENV {% for setting in it.environment %}{{ setting.name }}={{ setting.value | docker }}{% if not loop.last %} \
    {% endif %}{% endfor %}
# By number: `runAsNonRoot` and file owners on the host know no names.
USER {{ build.uid }}:{{ build.uid }}
{%- if build.port %}
EXPOSE {{ build.port }}
# The image has no curl or wget; Node.js itself asks. {% if it.probe.path != "/" %}{{ it.probe.path }} also looks at what the service depends on.{% else %}Any answer but an error of the server counts.{% endif %}
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD {{ it.probe.command | list }}
{%- endif %}
{%- if it.distroless %}
# The entrypoint of the base image is Node.js already: `node` here would be taken for a file.
{%- endif %}
CMD {{ it.command | list }}
