{%- import "docker/account.Dockerfile" as account -%}
{%- set it = build.python -%}
# {{ build.name }}: {{ build.framework }}, {{ it.what }}.
#
#   docker build -f {{ build.dockerfile }} .
#
# toolchain -> deps -> build -> runtime

# The base image is an argument so that a mirror or another build of it can be given.
{%- for image in build.images %}
ARG {{ image.argument }}={{ image.name }}
{%- endfor %}

FROM ${PYTHON_IMAGE} AS toolchain
{%- if it.compilers %}
# Some packages have no wheel and are compiled. No compiler reaches the runtime.
RUN apt-get update && apt-get install -y --no-install-recommends {{ it.compilers | join(" ") }} \
    && rm -rf /var/lib/apt/lists/*
{%- endif %}
{%- if it.tool %}
RUN --mount=type=cache,id=pip,target=/root/.cache/pip \
    --mount=type=secret,id=pip,target=/root/.config/pip/pip.conf \
    pip install {{ it.tool }}
{%- endif %}
WORKDIR /app
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1
{%- for setting in it.install_environment %} \
    {{ setting.name }}={{ setting.value | docker }}
{%- endfor %}

FROM toolchain AS deps
{%- if it.unlocked %}
# The list alone: a change of a source file keeps the installed packages. There is no lock file, so that two builds may
# install different versions: commit one, or pin every line.
{%- else %}
# The lists alone: a change of a source file keeps the installed packages.
{%- endif %}
{%- for file in it.files %}
COPY {{ file.file }} {{ file.folder }}
{%- endfor %}
# Downloads are a cache on the building machine, and no layer holds it. The secret is optional; it carries credentials
# for a private index and enters no layer either.
{%- for note in it.notes %}
# {{ note }}
{%- endfor %}
{%- for command in it.install %}
RUN --mount=type=cache,{{ it.cache }} \
    --mount=type=secret,id=pip,target=/root/.config/pip/pip.conf \
    {{ command }}
{%- endfor %}

FROM deps AS build
COPY {{ it.sources.from }} {{ it.sources.to }}
{%- for command in it.install_project %}
RUN --mount=type=cache,{{ it.cache }} \
    --mount=type=secret,id=pip,target=/root/.config/pip/pip.conf \
    {{ command }}
{%- endfor %}
{%- if it.build %}
WORKDIR {{ it.sources.workdir }}
{%- for command in it.build %}
# With values for this one command, which no image keeps: it imports the settings of the application.
RUN {% for setting in it.build_settings %}{{ setting.name }}={{ setting.value | shell }} {% endfor %}PATH=/app/.venv/bin:$PATH \
    {{ command }}
{%- endfor %}
WORKDIR /app
{%- endif %}
# Compiled once, here: the file system of the container is read-only. Readable for every user and writable for none but
# root, whatever the modes were in the checkout.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app > /dev/null || true; \
    chmod -R u=rwX,go=rX /app
{%- if it.native %}
# The Debian packages of the libraries that compiled modules were linked with.
RUN find /app/.venv -name '*.so*' -exec ldd {} + 2> /dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u \
    | xargs -r realpath | xargs -r -n 1 dpkg-query -S 2> /dev/null | cut -d : -f 1 | sort -u > /runtime-packages
{%- endif %}
{%- if it.writable %}
# Folders that the program writes, empty: a volume takes their owner over.
RUN mkdir -p {% for path in it.writable %}/writable{{ path }}{% if not loop.last %} {% endif %}{% endfor %}
{%- endif %}
{%- for link in it.links %}
# A file that the program writes beside itself leads into a volume: SQLite follows the link, and keeps its journal there.
RUN mkdir -p "$(dirname {{ link.from }})" && ln -sfn {{ link.to }} {{ link.from }}
{%- endfor %}

FROM ${PYTHON_IMAGE} AS runtime
{%- if it.native or it.system_packages %}
# Libraries and programs of the system that it needs when it runs.
RUN {% if it.native %}--mount=type=bind,from=build,source=/runtime-packages,target=/tmp/runtime-packages \
    {% endif %}apt-get update && {% if it.native %}xargs -r -a /tmp/runtime-packages {% endif %}apt-get install -y --no-install-recommends {{ it.system_packages | join(" ") }} \
    && rm -rf /var/lib/apt/lists/*
{%- endif %}
{{ account.added(build.uid) }}
WORKDIR {{ it.sources.workdir }}
# Everything belongs to root and is not writable for the user below: the program cannot change its own code.
COPY --from=build /app /app
{%- for path in it.built %}
COPY --from=build {{ path }} {{ path }}
{%- endfor %}
{%- if it.writable | select("startingwith", "/app/") %}
COPY --from=build --chown={{ build.uid }}:{{ build.uid }} /writable/app /app
{%- endif %}
{%- for path in it.writable if not path is startingwith("/app/") %}
COPY --from=build --chown={{ build.uid }}:{{ build.uid }} /writable{{ path }} {{ path }}
{%- endfor %}
{%- if it.launcher %}
# Sets variables from the files of secrets when Python starts, for a program that reads no file, writes the heartbeat of
# processes that answer nobody, and lets programs of packages find the modules of the folder that they are started in.
COPY --chmod=555 docker/sitecustomize.py /launcher/sitecustomize.py
{%- endif %}
{%- if it.static_settings %}
# The site's settings with WhiteNoise, which serves the collected static files: nobody else does.
COPY --chmod=555 docker/with_static_files.py /launcher/with_static_files.py
{%- endif %}
# What is logged is seen at once, and a crash in a library leaves a trace.
ENV PATH=/app/.venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1
{%- if it.launcher %} \
    PYTHONPATH=/launcher
{%- endif %}
{%- if it.static_settings %} \
    STATIC_FILES_OF={{ it.static_settings | docker }}
{%- endif %}
{%- for setting in it.environment %} \
    {{ setting.name }}={{ setting.value | docker }}
{%- endfor %}
# By number: `runAsNonRoot` and file owners on the host know no names.
USER {{ build.uid }}:{{ build.uid }}
{%- if build.port %}
EXPOSE {{ build.port }}
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD {{ it.probe.command | list }}
{%- endif %}
CMD {{ it.command | list }}
