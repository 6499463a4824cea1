{#- Stages that a program and pages have in common. -#}
{%- macro toolchain(build, install) -%}
FROM ${NODE_IMAGE} AS toolchain
{%- if install.compilers %}
# Some packages are compiled when they are installed.
RUN apt-get update && apt-get install -y --no-install-recommends {{ install.compilers | join(" ") }} \
    && rm -rf /var/lib/apt/lists/*
# The image has the headers of its Node.js: none are fetched.
ENV npm_config_nodedir=/usr/local
{%- endif %}
{%- if install.tool %}
# {{ install.tool_reason }}
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm install --global {{ install.tool }}
{%- endif %}
WORKDIR /app
# Tools show no questions and no progress bars.
ENV CI=true
{%- for setting in build.build_settings %}
{%- if setting.reason %}
# {{ setting.reason | comment }}
{%- endif %}
ENV {{ setting.name }}={{ setting.value | docker }}
{%- endfor %}
{%- endmacro -%}
{%- macro manifests(install) -%}
COPY {{ install.files | join(" ") }} ./
{%- for manifest in install.manifests %}
COPY {{ manifest.file }} {{ manifest.folder }}/
{%- endfor %}
{%- for folder in install.folders %}
COPY {{ folder.from }} {{ folder.to }}
{%- endfor %}
{%- endmacro -%}
{#- `shared`: a stage of production packages begins with this one. -#}
{%- macro deps(install, shared) -%}
FROM toolchain AS deps
{%- if install.unlocked %}
# Manifests alone: a change of a source file keeps the installed packages. There is no lock file, so that two builds may
# install different versions: commit one.
{%- else %}
# Manifests and the lock file alone: a change of a source file keeps the installed packages.
{%- endif %}
{{ manifests(install) }}
# {{ install.cache_reason }}
# The secret is optional; it carries credentials for a private registry and enters no layer either.
{%- if shared %}
# Readable for every user and writable for none but root: these files are those of production, too.
{%- endif %}
RUN --mount=type=cache,{{ install.cache }} \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    {{ install.all }}{% if shared %} \
    && chmod -R u=rwX,go=rX .{% endif %}
{%- endmacro -%}
{%- macro sources(build, install) -%}
FROM deps AS sources
{%- if build.sources.config_files %}
# What the tools of every workspace read.
COPY {{ build.sources.config_files | join(" ") }} ./
{%- endif %}
{%- for config in build.sources.config_folders %}
COPY {{ config.file }} {{ config.folder }}/
{%- endfor %}
{%- for library in build.libraries %}
COPY {{ library.source }} {{ library.path }}
{%- if library.build %}
RUN {{ library.build }}
{%- endif %}
{%- endfor %}
COPY {{ build.sources.from }} {{ build.sources.to }}
{%- for setting in build.inlined %}
{%- if loop.first %}
# Written into what is built: another value is another image.
{%- endif %}
ARG {{ setting.name }}={{ setting.value | docker }}
{%- endfor %}
{%- if install.own_script %}
# The project's own script, which the installation left out because it reads sources.
RUN {{ install.own_script }}
{%- endif %}
{%- endmacro -%}
{%- macro check(build, name) -%}
{%- if build.checks -%}
FROM {% if build.checks_need_build %}built{% else %}sources{% endif %} AS check
{%- for check in build.checks %}
RUN {{ check }}
{%- endfor %}
RUN mkdir /checked && touch /checked/{{ name }}

{% endif %}
{%- endmacro -%}
{#- What one build leaves for the next stays on the building machine. -#}
{%- macro kept(build, name, project) -%}
{%- if build.cache -%}
--mount=type=cache,id={{ project }}-{{ name }}-build,target={{ build.cache }},sharing=locked \
    {% endif -%}
{%- endmacro -%}
