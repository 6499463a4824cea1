//! A front with TLS. Its nginx is this machine's, with its libraries; its certificates are made by `openssl`.

use std::{path::Path, process::Command, sync::OnceLock};

use plimsoll_verify::Options;

use crate::{
    rows,
    stand::{Row, Stand, failed, proved},
};

/// A front that is right. Variables of `front` make it wrong.
const FRONT: &str = r#"
services:
  front:
    image: IMAGE
    user: "1000:1000"
    command: [sh, /start.sh]
    tmpfs: ["/tmp:uid=1000,gid=1000,mode=0700,size=1m"]
    volumes: ["/usr:/usr:ro", "/usr/lib:/lib:ro", "/usr/lib64:/lib64:ro"]
    ports: ["127.0.0.1::8443", "127.0.0.1::8080"]
    networks: [edge]
    secrets: [certificate, key]
    configs: [{ source: start, target: /start.sh, mode: 0444 }, { source: nginx, target: /nginx.conf, mode: 0444 }]
    stop_grace_period: 1s
    healthcheck: { test: [CMD, busybox, timeout, "2", busybox, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/health"], interval: 1s, timeout: 5s, retries: 5 }
networks:
  edge: {}
secrets:
  certificate: { file: ./certificate }
  key: { file: ./key }
configs:
  start:
    content: |
      plain='return 308 https://$$host$$request_uri;'
      [ -z "$$PAGES_IN_THE_CLEAR" ] || plain='return 200 "<h1>Shop</h1>";'
      busybox sed -e "s|PLAIN|$$plain|" -e "s|PROTOCOLS|$${PROTOCOLS-TLSv1.2 TLSv1.3}|" \
        -e "s|HSTS|$${HSTS-max-age=31536000}|" -e "s|ATTRIBUTES|$${ATTRIBUTES-HttpOnly; Secure}|" /nginx.conf > /tmp/nginx.conf
      exec /usr/sbin/nginx -e stderr -c /tmp/nginx.conf -g 'daemon off;'
  nginx:
    content: |
      worker_processes 1;
      pid /tmp/nginx.pid;
      error_log stderr;
      events { worker_connections 64; }
      http {
        access_log off;
        default_type text/html;
        client_body_temp_path /tmp/body;
        proxy_temp_path /tmp/proxy;
        fastcgi_temp_path /tmp/fastcgi;
        uwsgi_temp_path /tmp/uwsgi;
        scgi_temp_path /tmp/scgi;
        server {
          listen 8080;
          location = /health {
            if ($$remote_addr != 127.0.0.1) {
              PLAIN
            }
            return 200 "ok";
          }
          location / {
            PLAIN
          }
        }
        server {
          listen 8443 ssl;
          ssl_certificate /run/secrets/certificate;
          ssl_certificate_key /run/secrets/key;
          ssl_protocols PROTOCOLS;
          ssl_ciphers "ALL:@SECLEVEL=0";
          add_header Strict-Transport-Security "HSTS" always;
          add_header Set-Cookie "session=1; ATTRIBUTES" always;
          location = / {
            return 200 "<html><head><title>Shop</title></head><body><h1>Shop</h1><p>Open all day, and at night for those who ask.</p></body></html>";
          }
          location / {
            return 404 "<h1>there is no such page</h1>";
          }
        }
      }
"#;

/// A certificate for shop.example and its key, PEM.
struct Pair {
    certificate: String,
    key: String,
}

/// Certificates of their own: for 90 days, for five, and one that has ended yesterday.
struct Pairs {
    valid: Pair,
    short: Pair,
    ended: Pair,
}

fn pairs() -> &'static Pairs {
    static PAIRS: OnceLock<Pairs> = OnceLock::new();
    PAIRS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let pair = |days: &str| make(folder.path(), days);
        Pairs { valid: pair("90"), short: pair("5"), ended: pair("-1") }
    })
}

fn make(folder: &Path, days: &str) -> Pair {
    let openssl = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    openssl(&[
        "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop", "-keyout", "key", "-out", "request",
    ]);
    std::fs::write(folder.join("names"), "subjectAltName=DNS:shop.example\n").unwrap();
    openssl(&[
        "x509",
        "-req",
        "-in",
        "request",
        "-signkey",
        "key",
        "-days",
        days,
        "-extfile",
        "names",
        "-out",
        "certificate",
    ]);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    Pair { certificate: read("certificate"), key: read("key") }
}

fn install(stand: &Stand, pair: &Pair) {
    stand.write("certificate", &pair.certificate);
    stand.write("key", &pair.key);
}

/// Visitors ask for shop.example, and their machines trust this certificate.
fn known(options: &mut Options, pair: &Pair) {
    options.tls.name = Some("shop.example".to_owned());
    options.tls.roots = Some(("own.pem".to_owned(), pair.certificate.clone().into_bytes()));
}

const USUAL: Row = Row {
    file: FRONT,
    programs: &["/usr/sbin/nginx", "/usr/bin/openssl"],
    before: |stand| install(stand, &pairs().valid),
    options: |options| known(options, &pairs().valid),
    ..Row::RIGHT
};

rows! {
    /// Every claim about TLS holds.
    a_front_with_tls_that_is_right: Row {
        claims: &[
            proved("tls", "front:8443 versions"),
            proved("tls", "front:8443 certificate"),
            proved("tls", "front:8443 names"),
            proved("tls", "front:8443 trust"),
            proved("tls", "front:8443 cookies"),
            proved("tls", "front:8080 without TLS"),
            proved("security-headers", "front:8443 HSTS"),
        ],
        ..USUAL
    };
    /// Nobody has renewed it: browsers refuse.
    a_certificate_that_has_ended: Row {
        before: |stand| install(stand, &pairs().ended),
        options: |options| known(options, &pairs().ended),
        claims: &[failed("tls", "front:8443 certificate"), proved("tls", "front:8443 versions")],
        ..USUAL
    };
    /// Its renewal should have worked by now.
    a_certificate_for_five_days: Row {
        before: |stand| install(stand, &pairs().short),
        options: |options| known(options, &pairs().short),
        claims: &[failed("tls", "front:8443 certificate"), proved("tls", "front:8443 names")],
        ..USUAL
    };
    /// No visitor's machine knows who has signed it.
    a_certificate_that_nobody_trusts: Row {
        options: |options| options.tls.name = Some("shop.example".to_owned()),
        claims: &[failed("tls", "front:8443 trust"), proved("tls", "front:8443 certificate")],
        ..USUAL
    };
    /// Visitors use a name that it is not for.
    a_certificate_for_another_name: Row {
        options: |options| {
            known(options, &pairs().valid);
            options.tls.name = Some("www.shop.example".to_owned());
        },
        claims: &[failed("tls", "front:8443 names"), proved("tls", "front:8443 trust")],
        ..USUAL
    };
    /// Versions that were given up because what is sent with them can be read.
    old_versions_of_tls: Row {
        over: "services: { front: { environment: { PROTOCOLS: 'TLSv1 TLSv1.1 TLSv1.2 TLSv1.3' } } }",
        claims: &[failed("tls", "front:8443 versions"), proved("tls", "front:8443 certificate")],
        ..USUAL
    };
    /// Right: the newest version alone.
    the_newest_version_of_tls_alone: Row {
        over: "services: { front: { environment: { PROTOCOLS: TLSv1.3 } } }",
        claims: &[proved("tls", "front:8443 versions")],
        ..USUAL
    };
    /// The pages are read by whoever is on the way.
    pages_in_the_clear: Row {
        over: "services: { front: { environment: { PAGES_IN_THE_CLEAR: '1' } } }",
        claims: &[failed("tls", "front:8080 without TLS"), proved("tls", "front:8443 versions")],
        ..USUAL
    };
    /// The next visit may begin in the clear.
    no_strict_transport_security: Row {
        over: "services: { front: { environment: { HSTS: '' } } }",
        claims: &[failed("security-headers", "front:8443 HSTS"), proved("tls", "front:8080 without TLS")],
        ..USUAL
    };
    /// The same after an hour.
    an_hour_of_strict_transport_security: Row {
        over: "services: { front: { environment: { HSTS: max-age=3600 } } }",
        claims: &[failed("security-headers", "front:8443 HSTS")],
        ..USUAL
    };
    /// The session is sent in the clear to whoever asks for a page so.
    a_session_for_both_ports: Row {
        over: "services: { front: { environment: { ATTRIBUTES: HttpOnly } } }",
        claims: &[failed("tls", "front:8443 cookies"), proved("security-headers", "front:8443 HSTS")],
        ..USUAL
    };
}
