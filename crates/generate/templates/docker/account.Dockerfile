{#- The user of a program by name: libraries that ask for their own user (os.userInfo(), getpass.getuser(), "~") fail without. -#}
{%- macro made(uid) -%}
# The image below has no shell that could add the program's user: its list of users is made here.
RUN mkdir /accounts \
    && printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
        app:x:{{ uid }}:{{ uid }}::/tmp:/sbin/nologin > /accounts/passwd \
    && printf '%s\n' root:x:0: tty:x:5: nobody:x:65534: app:x:{{ uid }}: > /accounts/group \
    && chmod 644 /accounts/*
{%- endmacro -%}
{%- macro copied() -%}
# The program's user has a name: libraries ask for it.
COPY --from=build /accounts /etc
{%- endmacro -%}
{%- macro added(uid) -%}
# The program's user has a name: libraries ask for it.
RUN (getent group {{ uid }} || echo app:x:{{ uid }}: >> /etc/group) > /dev/null \
    && (getent passwd {{ uid }} || echo app:x:{{ uid }}:{{ uid }}::/tmp:/usr/sbin/nologin >> /etc/passwd) > /dev/null
{%- endmacro -%}
