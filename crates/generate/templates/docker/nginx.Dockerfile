{%- macro templates(nginx) -%}
{%- if nginx.config %}
COPY --chmod=555 {{ nginx.folder }}/{{ nginx.config.file }}.template /etc/nginx/templates/{{ nginx.config.file }}.template
{%- endif %}
{%- if nginx.tls %}
COPY --chmod=555 {{ nginx.folder }}/https_port.conf.template /etc/nginx/templates/https_port.conf.template
{%- endif %}
{%- endmacro -%}
{%- macro environment(nginx) -%}
{%- if nginx.config or nginx.tls %}
# At start the image's entrypoint fills the template from the environment: one image serves every installation. It
# writes to /tmp, the one place that is writable when the root file system is not.
ENV NGINX_ENVSUBST_OUTPUT_DIR=/tmp \
    NGINX_ENVSUBST_FILTER={% if nginx.config %}{{ nginx.config.settings | map(attribute="variable") | join("|") }}{% if nginx.tls %}|{% endif %}{% endif %}{% if nginx.tls %}NGINX_HTTPS_PORT{% endif %}
{%- if nginx.config %}
{%- for setting in nginx.config.settings %} \
    {{ setting.variable }}={{ setting.default | docker }}
{%- endfor %}
{%- endif %}
{%- if nginx.tls %} \
    NGINX_HTTPS_PORT={{ nginx.tls.port }}
{%- endif %}
{%- endif %}
{%- endmacro -%}
