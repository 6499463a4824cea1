//! What the front answers: headers, compression, caching, routing, health, smoke checks, and whether it reaches what is
//! behind it. The server is a shell script, so that each answer can be wrong in one thing.

use plimsoll_source::Source;
use plimsoll_verify::{Options, Status, smoke::SmokeFile};

use crate::{
    rows,
    stand::{Row, absent, failed, is, proved},
};

/// A front that is right: an application of one page with hashed files, an API, a health path. Variables of `front` make
/// it wrong.
const FRONT: &str = r#"
services:
  front:
    image: IMAGE
    user: "1000:1000"
    command: [sh, /site.sh]
    tmpfs: ["/tmp:uid=1000,gid=1000,mode=0700,size=1m"]
    ports: ["127.0.0.1::8080"]
    networks: [edge]
    configs: [{ source: front, target: /front.sh, mode: 0444 }, { source: site, target: /site.sh, mode: 0444 }]
    stop_grace_period: 1s
    healthcheck: { test: [CMD, busybox, timeout, "2", busybox, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/health"], interval: 1s, timeout: 5s, retries: 5 }
networks:
  edge: {}
configs:
  site:
    content: |
      cd /tmp
      echo "<!doctype html><html><head><title>$${TITLE-Shop}</title><link href=/assets/app-5e6f7a8b.css rel=stylesheet><script src=/config.js></script><script src=/assets/app-1a2b3c4d.js></script></head><body>$${CONTENT-<div id=root></div>}</body></html>" > index.html
      echo "$${OWN_ERROR-<h1>not found</h1>}" > 404.html; echo '{"error":"not_found"}' > missing.json; echo ok > health; echo 'window.config={}' > config.js
      i=0; while [ $$i -lt 100 ]; do echo "{\"id\":$$i,\"name\":\"item number $$i\"}"; i=$$((i+1)); done > items.json
      { echo "history.pushState();$$CALLS"; cat items.json; } > app.js; busybox cp items.json app.css
      for f in items.json app.js app.css; do busybox gzip -c $$f > $$f.gz; done
      exec busybox nc -ll -p 8080 -e sh /front.sh
  front:
    content: |
      cr=$$(busybox printf '\r') nl='
      '
      read -r method target version
      target=$${target%"$$cr"} gzip= host= length= br= range=
      while read -r line && [ "$$line" != "$$cr" ]; do
        case "$$line" in
          [Aa]ccept-[Ee]ncoding:*q=0*) ;;
          [Aa]ccept-[Ee]ncoding:*gzip*) gzip=1 ;;
          [Aa]ccept-[Ee]ncoding:*br*) br=$$BR ;;
          [Rr]ange:*bytes=0-*) range=$${line#*=0-}; range=$${range%"$$cr"} ;;
          [Hh]ost:*) host=1 ;;
          [Cc]ontent-[Ll]ength:*) length=$${line#*: }; length=$${length%"$$cr"} ;;
        esac
      done
      path=$${target%%\?*}
      status='200 OK' type=text/html cache=no-cache body=/tmp/index.html extra= secure=1 small=
      year='public, max-age=31536000, immutable'
      missing() { status='404 Not Found' cache=$$MISSING_CACHE body=/tmp/404.html secure=$${SECURE_MISSING-1}; }
      case "$$path" in
        /) cache=$${PAGE_CACHE-no-cache} ;;
        /assets/app-1a2b3c4d.js) type=text/javascript cache=$$year body=/tmp/app.js ;;
        /assets/app-5e6f7a8b.css) type=text/css cache=$${CSS_CACHE-$$year} body=/tmp/app.css small=$$CSS_PLAIN ;;
        /config.js) type=text/javascript cache=$${CONFIG_CACHE-no-store} body=/tmp/config.js ;;
        /sw.js) [ -n "$$WORKER_CACHE" ] && type=text/javascript cache=$$WORKER_CACHE body=/tmp/config.js || missing ;;
        /health) type=text/plain cache= body=/tmp/health ;;
        /healthXYZ) [ -n "$$HEALTH_IS_PREFIX" ] && type=text/plain cache= body=/tmp/health ;;
        /api/items) type=application/json cache=$$API_CACHE body=/tmp/items.json small=$$API_PLAIN
          [ -z "$$API_COOKIE" ] || extra="Set-Cookie: session=1$$cr$$nl" ;;
        /api/) [ -n "$$API_DOWN" ] && status="502 Bad Gateway"; cache= body=/tmp/404.html ;;
        /api/broken) status='502 Bad Gateway' cache=$$ERROR_CACHE body=/tmp/404.html ;;
        /api/*) if [ -n "$$API_IS_PAGE" ]; then :; else status='404 Not Found' type=application/json cache= body=/tmp/missing.json secure=$${SECURE_API_ERRORS-1}; fi ;;
        /nginx/nginx.conf) [ -n "$$OWN_FILES" ] && type=text/plain cache= body=/tmp/health || missing ;;
        /index.html/*|*%2f*) [ -z "$$ODD_BREAKS" ] || { status='500 Internal Server Error' cache= body=/tmp/404.html; } ;;
        *..*|*%2e*) status='400 Bad Request' cache= body=/tmp/404.html ;;
        *.*) if [ -n "$$MISSING_IS_PAGE" ]; then :; else missing; fi ;;
        *) if [ -n "$$NO_DEEP_LINKS" ]; then missing; fi ;;
      esac
      [ $${#target} -lt 4000 ] || { status='414 URI Too Long' type=text/html cache= body=/tmp/404.html; }
      case "$$method" in
        GET) ;;
        HEAD) [ -z "$$HEAD_IS_MISSING" ] || [ "$$path" = / ] || missing ;;
        OPTIONS) status='204 No Content' cache= body=/dev/null ;;
        *) status="$${REFUSED-405 Method Not Allowed}" type=text/html cache= body=/tmp/404.html secure=$${SECURE_405-1} ;;
      esac
      [ "$${length:-0}" -le 1048576 ] || { status='413 Content Too Large' type=text/html cache= body=/tmp/404.html secure=$${SECURE_413-1}; }
      [ -n "$$host" ] || secure=$${SECURE_HOSTLESS-$$secure}
      if [ -n "$$range" ] && [ -n "$$RANGES" ]; then
        status='206 Partial Content' extra="$${extra}Content-Range: bytes 0-$$range/$$(busybox stat -L -c %s "$$body")$$cr$$nl"
        [ "$$RANGES" = mixed ] && [ -n "$$gzip" ] && busybox gzip -c "$$body" > /tmp/mixed || { cat "$$body" > /tmp/mixed; gzip=; }
        busybox head -c $$((range+1)) /tmp/mixed > /tmp/part; body=/tmp/part
        [ -z "$$gzip" ] || { extra="$${extra}Content-Encoding: gzip$$cr$${nl}Vary: Accept-Encoding$$cr$$nl"; }
      fi
      if [ -n "$$br" ] && [ -s "$$body.gz" ]; then
        extra="$${extra}Content-Encoding: br$$cr$${nl}Vary: Accept-Encoding$$cr$$nl"
        [ "$$br" = right ] && { busybox tail -c +30 "$$body.gz" > /tmp/br; body=/tmp/br; } || body=$$body.gz
      fi
      [ -s "$$body.gz" ] && [ -n "$$gzip" ] && [ -z "$$small" ] && body=$$body.gz extra="$${extra}Content-Encoding: gzip$$cr$${nl}Vary: Accept-Encoding$$cr$$nl"
      [ -z "$$cache" ] || extra="$${extra}Cache-Control: $$cache$$cr$$nl"
      [ -z "$$secure" ] || extra="$${extra}X-Content-Type-Options: nosniff$$cr$${nl}X-Frame-Options: DENY$$cr$${nl}Referrer-Policy: no-referrer$$cr$${nl}Content-Security-Policy: default-src 'self'$$cr$$nl"
      busybox printf 'HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %s\r\nConnection: close\r\n%s\r\n' "$$status" "$$type" "$$(busybox stat -L -c %s "$$body")" "$$extra"
      [ "$$method" = HEAD ] || cat "$$body"
"#;

const CHECKS: &str = r#"
[[check]]
name = "front page"
request = "GET /"
expect = { status = 200, header = { content-type = "text/html" }, body = "id=root" }

[[check]]
name = "configuration"
request = "GET /config.js"
expect = { status = 200, body = "window.config" }

[[check]]
name = "items"
request = "GET /api/items"
expect = { status = 200, body = "item number 7" }
"#;

/// Smoke checks that an outage meets too.
const WEAK: &str = r#"
[[check]]
name = "errors tell nothing"
request = "GET /api/broken"
expect = { not_body = "stack" }
"#;

fn checks(options: &mut Options) {
    options.smoke = Some(SmokeFile::parse(&Source::new("smoke.toml", CHECKS)).unwrap());
}

/// The list, asked with a login.
const LOGIN: &str = r#"
[[check]]
name = "items with a login"
request = "GET /api/items"
headers = { Authorization = "Bearer x" }
expect = { status = 200, body = "item number 7" }
"#;

fn login(options: &mut Options) {
    options.smoke = Some(SmokeFile::parse(&Source::new("smoke.toml", LOGIN)).unwrap());
}

fn weak(options: &mut Options) {
    options.smoke = Some(SmokeFile::parse(&Source::new("smoke.toml", WEAK)).unwrap());
}

const USUAL: Row = Row { file: FRONT, options: checks, ..Row::RIGHT };

rows! {
    /// Every claim about answers holds.
    a_front_that_is_right: Row {
        claims: &[
            proved("security-headers", "front /"),
            proved("security-headers", "front /api/items"),
            proved("security-headers", "front /plimsoll-missing-0a1b2c3d.js"),
            proved("security-headers", "front POST /plimsoll-missing-0a1b2c3d with 2 MiB"),
            proved("security-headers", "front / without Host"),
            proved("compression", "front /assets/app-5e6f7a8b.css"),
            proved("compression", "front HEAD /assets/app-5e6f7a8b.css"),
            proved("compression", "front /assets/app-5e6f7a8b.css in part"),
            absent("compression", "front /assets/app-5e6f7a8b.css for br"),
            absent("compression", "front /assets/app-5e6f7a8b.css for zstd"),
            proved("compression", "front /api/items"),
            proved("caching", "front /"),
            proved("caching", "front /assets/app-5e6f7a8b.css"),
            proved("caching", "front /api/items"),
            proved("spa-routing", "front /plimsoll/deep/link"),
            proved("spa-routing", "front /plimsoll-missing-0a1b2c3d.png"),
            proved("spa-routing", "front /api/plimsoll-missing-0a1b2c3d"),
            proved("spa-routing", "front HEAD /plimsoll/deep/link"),
            proved("spa-routing", "front POST /plimsoll/deep/link"),
            proved("spa-routing", "front /index.html/plimsoll"),
            proved("spa-routing", "front /plimsoll%2fdeep%2flink"),
            proved("health-endpoint", "front /health"),
            proved("smoke/front-page", "front"),
            proved("memory-load", "smoke load"),
        ],
        ..USUAL
    };
    /// `add_header` without `always`: the API's errors have none.
    headers_missing_on_api_errors: Row {
        over: "services: { front: { environment: { SECURE_API_ERRORS: '' } } }",
        claims: &[failed("security-headers", "front /api/plimsoll-missing-0a1b2c3d"), proved("security-headers", "front /api/items")],
        ..USUAL
    };
    /// The front's own 404 has none.
    headers_missing_on_missing_files: Row {
        over: "services: { front: { environment: { SECURE_MISSING: '' } } }",
        claims: &[failed("security-headers", "front /plimsoll-missing-0a1b2c3d.js"), proved("security-headers", "front /")],
        ..USUAL
    };
    /// A method that is refused has none.
    headers_missing_on_refusals: Row {
        over: "services: { front: { environment: { SECURE_405: '' } } }",
        claims: &[failed("security-headers", "front POST /plimsoll-missing-0a1b2c3d.html")],
        ..USUAL
    };
    /// What is too large has none, and neither has what an old client asks for.
    headers_missing_on_unusual_requests: Row {
        over: "services: { front: { environment: { SECURE_413: '', SECURE_HOSTLESS: '' } } }",
        claims: &[
            failed("security-headers", "front POST /plimsoll-missing-0a1b2c3d with 2 MiB"),
            failed("security-headers", "front POST /api/plimsoll-missing-0a1b2c3d with 2 MiB"),
            failed("security-headers", "front / without Host"),
            proved("security-headers", "front /"),
        ],
        ..USUAL
    };
    /// One of two hashed files is sent as it is.
    only_scripts_are_compressed: Row {
        over: "services: { front: { environment: { CSS_PLAIN: '1' } } }",
        claims: &[failed("compression", "front /assets/app-5e6f7a8b.css"), proved("compression", "front /assets/app-1a2b3c4d.js")],
        ..USUAL
    };
    /// Gzip under another name, and a part of the compressed file that is counted as one of the file.
    what_is_said_of_coded_bytes_is_wrong: Row {
        over: "services: { front: { environment: { BR: wrong, RANGES: mixed } } }",
        claims: &[
            failed("compression", "front /assets/app-5e6f7a8b.css for br"),
            failed("compression", "front /assets/app-5e6f7a8b.css in part"),
            proved("compression", "front /assets/app-5e6f7a8b.css"),
        ],
        ..USUAL
    };
    /// Bytes that can be Brotli, which nothing here reads, and parts of the file as it is.
    other_codings_and_parts: Row {
        over: "services: { front: { environment: { BR: right, RANGES: right } } }",
        claims: &[
            proved("compression", "front /assets/app-5e6f7a8b.css for br"),
            proved("compression", "front /assets/app-5e6f7a8b.css in part"),
            proved("compression", "front /assets/app-5e6f7a8b.css"),
        ],
        ..USUAL
    };
    /// What the application answers is sent as it is.
    an_api_that_is_not_compressed: Row {
        over: "services: { front: { environment: { API_PLAIN: '1' } } }",
        claims: &[failed("compression", "front /api/items")],
        ..USUAL
    };
    /// Every browser may keep the list for a year, and asks for the style sheet each time.
    api_cached_for_a_year: Row {
        over: "services: { front: { environment: { API_CACHE: 'public, max-age=31536000', CSS_CACHE: no-cache } } }",
        claims: &[failed("caching", "front /api/items"), failed("caching", "front /assets/app-5e6f7a8b.css"), proved("caching", "front /assets/app-1a2b3c4d.js")],
        ..USUAL
    };
    /// A shared cache may give one visitor's cookie to all.
    a_cookie_for_everybody: Row {
        over: "services: { front: { environment: { API_CACHE: 'public, s-maxage=60', API_COOKIE: '1' } } }",
        claims: &[failed("caching", "front /api/items")],
        ..USUAL
    };
    /// A shared cache may give to all what one visitor has asked for with a login.
    an_answer_to_a_login_for_everybody: Row {
        over: "services: { front: { environment: { API_CACHE: 'public, max-age=60' } } }",
        options: login,
        claims: &[
            proved("smoke/items-with-a-login", "front"),
            failed("caching", "front GET /api/items 200 with authorization"),
            proved("caching", "front /api/items"),
        ],
        ..USUAL
    };
    /// Right: that visitor's browser alone may keep it.
    an_answer_to_a_login_for_its_browser: Row {
        over: "services: { front: { environment: { API_CACHE: 'private, max-age=60' } } }",
        options: login,
        claims: &[
            proved("smoke/items-with-a-login", "front"),
            absent("caching", "front GET /api/items 200 with authorization"),
            proved("caching", "front /api/items"),
        ],
        ..USUAL
    };
    /// A release is seen an hour later.
    a_page_that_is_kept: Row {
        over: "services: { front: { environment: { PAGE_CACHE: max-age=3600 } } }",
        claims: &[failed("caching", "front /")],
        ..USUAL
    };
    /// Nothing said: browsers guess.
    a_page_without_cache_control: Row {
        over: "services: { front: { environment: { PAGE_CACHE: '' } } }",
        claims: &[failed("caching", "front /")],
        ..USUAL
    };
    /// An error is kept for a day.
    errors_that_are_kept: Row {
        over: "services: { front: { environment: { MISSING_CACHE: max-age=86400 } } }",
        claims: &[failed("caching", "front /plimsoll-missing-0a1b2c3d.js")],
        ..USUAL
    };
    /// A service worker that is kept breaks releases.
    a_service_worker_that_is_kept: Row {
        over: "services: { front: { environment: { WORKER_CACHE: max-age=86400 } } }",
        claims: &[failed("caching", "front /sw.js")],
        ..USUAL
    };
    /// Settings of the installation are kept.
    settings_that_are_kept: Row {
        over: "services: { front: { environment: { CONFIG_CACHE: 'max-age=31536000, immutable' } } }",
        claims: &[failed("caching", "front /config.js")],
        ..USUAL
    };
    /// A missing file is the front page, outside of the folder of hashed files too.
    missing_files_are_the_page: Row {
        over: "services: { front: { environment: { MISSING_IS_PAGE: '1' } } }",
        claims: &[failed("spa-routing", "front /plimsoll-missing-0a1b2c3d.png"), failed("spa-routing", "front /plimsoll-missing-0a1b2c3d.js"), proved("spa-routing", "front /plimsoll/deep/link")],
        ..USUAL
    };
    /// A path that the API does not have is the front page.
    a_missing_path_of_the_api_is_the_page: Row {
        over: "services: { front: { environment: { API_IS_PAGE: '1' } } }",
        claims: &[failed("spa-routing", "front /api/plimsoll-missing-0a1b2c3d")],
        ..USUAL
    };
    /// The application is an application, whatever its deep links answer.
    deep_links_are_missing: Row {
        over: "services: { front: { environment: { NO_DEEP_LINKS: '1' } } }",
        claims: &[failed("spa-routing", "front /plimsoll/deep/link")],
        ..USUAL
    };
    /// Whoever asks for the head alone is told that nothing is there.
    another_status_for_the_head: Row {
        over: "services: { front: { environment: { HEAD_IS_MISSING: '1' } } }",
        claims: &[
            failed("spa-routing", "front HEAD /plimsoll/deep/link"),
            proved("spa-routing", "front /plimsoll/deep/link"),
            failed("compression", "front HEAD /assets/app-5e6f7a8b.css"),
        ],
        ..USUAL
    };
    /// A form on a deep link, a path behind a file and slashes in percent encoding break the server.
    places_in_other_forms_break_the_server: Row {
        over: "services: { front: { environment: { REFUSED: '500 Internal Server Error', ODD_BREAKS: '1' } } }",
        claims: &[
            failed("spa-routing", "front POST /plimsoll/deep/link"),
            failed("spa-routing", "front /index.html/plimsoll"),
            failed("spa-routing", "front /plimsoll%2fdeep%2flink"),
            proved("spa-routing", "front HEAD /plimsoll/deep/link"),
        ],
        ..USUAL
    };
    /// `location /health` without `=`.
    health_is_a_prefix: Row {
        over: "services: { front: { environment: { HEALTH_IS_PREFIX: '1' } } }",
        claims: &[failed("health-endpoint", "front /health")],
        ..USUAL
    };
    /// Pages made on the server, a front page that is kept for a minute, no health path: right, and of another shape.
    a_site_that_is_no_application: Row {
        over: r#"
services:
  front:
    environment:
      CONTENT: "<nav><a href=/about>About us</a></nav><h1>News</h1><p>Something happened somewhere, and here it is told at length.</p>"
      NO_DEEP_LINKS: "1"
      PAGE_CACHE: public, max-age=60
    healthcheck: { test: !override [CMD, busybox, timeout, "2", busybox, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"] }
"#,
        options: |_| {},
        claims: &[
            is(Status::NotApplicable, "spa-routing", "front deep links"),
            proved("spa-routing", "front /plimsoll-missing-0a1b2c3d.png"),
            proved("caching", "front /"),
            is(Status::NotApplicable, "health-endpoint", "front health"),
            proved("security-headers", "front /"),
            is(Status::NotChecked, "smoke", "stack"),
        ],
        ..USUAL
    };
    /// Built with the address of a laptop: the visitor's machine has no such server.
    pages_that_call_the_visitors_machine: Row {
        over: "services: { front: { environment: { CALLS: 'fetch(\"http://localhost:5001/books\")' } } }",
        claims: &[failed("page-files", "front /")],
        ..USUAL
    };
    /// The page of one service whose style is another service's to answer.
    a_style_that_nobody_has: Row {
        over: "services: { front: { environment: { CONTENT: '<link rel=stylesheet href=/static/style.css><div id=root></div>' } } }",
        claims: &[failed("page-files", "front /")],
        ..USUAL
    };
    /// The folder of the pages holds the server's own settings.
    settings_that_are_handed_out: Row {
        over: "services: { front: { environment: { OWN_FILES: '1' } } }",
        claims: &[failed("private-files", "front")],
        ..USUAL
    };
    /// A script of another host that the page's own policy forbids.
    a_policy_against_the_page: Row {
        over: "services: { front: { environment: { CONTENT: '<div id=root></div><script src=https://cdn.example.com/a.js></script>' } } }",
        claims: &[failed("page-files", "front /"), proved("private-files", "front")],
        ..USUAL
    };
    /// A router reads addresses with a base that it never calls.
    a_base_to_read_addresses_with: Row {
        over: "services: { front: { environment: { CALLS: 'new URL(x,\"http://localhost\"); // http://localhost:3000' } } }",
        claims: &[proved("page-files", "front /")],
        ..USUAL
    };
    /// A small page with the scripts of a router, made on the server: what it does not have is an error of its own.
    a_router_that_runs_on_the_server: Row {
        over: r#"
services:
  front:
    environment:
      NO_DEEP_LINKS: "1"
      OWN_ERROR: "<html><head><title>Shop</title><script src=/assets/app-1a2b3c4d.js></script></head><body><main>404: there is no such page.</main></body></html>"
"#,
        claims: &[
            is(Status::NotApplicable, "spa-routing", "front deep links"),
            proved("spa-routing", "front /plimsoll-missing-0a1b2c3d.png"),
        ],
        ..USUAL
    };
    /// An API on another port of this machine, before the pages in the file: the pages are judged, and smoke checks go
    /// to them.
    second_published_port: Row {
        over: r#"
services:
  an-api: { image: IMAGE, user: "1000:1000", command: [sh, -c, "exec busybox httpd -f -p 8080 -h /etc"], ports: ["127.0.0.1::8080"], networks: [edge] }
  front: { environment: { CSS_PLAIN: "1" } }
"#,
        claims: &[
            proved("security-headers", "front /"),
            is(Status::NotApplicable, "security-headers", "an-api"),
            failed("compression", "front /assets/app-5e6f7a8b.css"),
            proved("spa-routing", "front /plimsoll/deep/link"),
            proved("health-endpoint", "front /health"),
            proved("smoke/front-page", "front"),
        ],
        ..USUAL
    };
    /// Half of the visitors get a script that does not run.
    one_replica_is_broken: Row {
        over: "services: { front: { scale: 2 } }",
        act: |stand| Box::pin(async move {
            stand.sh("front", "echo 'broken(' > /tmp/config.js").await;
        }),
        claims: &[
            failed("smoke/configuration", "{project}-front-1"),
            proved("smoke/configuration", "{project}-front-2"),
            failed("memory-load", "smoke load"),
            proved("security-headers", "{project}-front-2 /"),
        ],
        ..USUAL
    };
    /// An error page meets an expectation of absence.
    smoke_check_passes_on_502: Row {
        options: weak,
        claims: &[failed("smoke/errors-tell-nothing", "front"), failed("memory-load", "smoke load")],
        ..USUAL
    };
    /// A budget that nothing keeps to.
    more_memory_than_the_budget: Row {
        options: |options| {
            checks(options);
            options.budgets.memory = Some(1000);
        },
        claims: &[failed("memory-load", "stack"), failed("memory-idle", "stack")],
        ..USUAL
    };
    /// A budget that it keeps to, without smoke checks: its own pages are the load.
    less_memory_than_the_budget: Row {
        options: |options| options.budgets.memory = Some(1 << 30),
        claims: &[proved("memory-load", "stack"), proved("memory-idle", "stack")],
        ..USUAL
    };
    /// A budget for a service that works once is meant.
    budgets_for_nobody: Row {
        options: |options| options.budgets.images = [("job".to_owned(), 1), ("front".to_owned(), 1 << 30)].into(),
        claims: &[failed("image-size", "job"), proved("image-size", "front")],
        ..Row::RIGHT
    };
    /// The same budget, kept.
    a_budget_that_is_kept: Row {
        options: |options| options.budgets.images = [("front".to_owned(), 1 << 30)].into(),
        claims: &[proved("image-size", "front")],
        ..USUAL
    };
    /// A server for itself alone: its health check passes, and nobody else can connect.
    loopback_server_is_proved: Row {
        over: "services: { backend: { command: [sh, -c, 'exec busybox httpd -f -p 127.0.0.1:8080 -h /etc'] } }",
        claims: &[failed("front-reaches", "backend"), proved("front-reaches", "store")],
        ..Row::RIGHT
    };
    /// The front's settings name a port on which nothing listens.
    a_port_that_nobody_listens_on: Row {
        over: "services: { front: { environment: { API: 'http://backend:9090/x' } } }",
        claims: &[failed("front-reaches", "backend")],
        ..Row::RIGHT
    };
    /// Right: the port that it names answers, another one is for the server itself.
    a_port_for_itself_beside: Row {
        over: r#"
services:
  front: { environment: { API: "http://backend:8080/x" } }
  backend: { command: [sh, -c, "busybox nc -ll -p 9999 -s 127.0.0.1 & exec busybox httpd -f -p 8080 -h /etc"] }
"#,
        claims: &[proved("front-reaches", "backend")],
        ..Row::RIGHT
    };
    /// A proxy whose service does not answer: 502 to everything below /api/.
    a_proxy_without_its_service: Row {
        over: r#"
services: { front: { environment: { API_DOWN: "1" }, configs: [{ source: nginx, target: /etc/nginx/conf.d/front.conf }] } }
configs: { nginx: { content: "server { location = /x { return 200; } location ^~ /api/ { proxy_pass $$upstream; } }" } }
"#,
        claims: &[failed("front-reaches", "front /api/")],
        ..USUAL
    };
    /// The same with a service that answers.
    a_proxy_with_its_service: Row {
        over: r#"
services: { front: { configs: [{ source: nginx, target: /etc/nginx/conf.d/front.conf }] } }
configs: { nginx: { content: "server { location ^~ /api/ { proxy_pass $$upstream; } }" } }
"#,
        claims: &[proved("front-reaches", "front /api/")],
        ..USUAL
    };
}
