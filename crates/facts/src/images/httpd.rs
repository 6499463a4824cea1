//! Apache HTTP Server.

use crate::{Contents, Image, Port, Release, Role, Software, Source, User, Variant, fact::known};

const SOURCE: Source = Source::new("docker-library/httpd: Dockerfiles of 2.4", 2026, 6, 10);

/// What is known of it.
pub(crate) static SOFTWARE: Software = Software {
    images: &[Image::official("httpd")],
    processes: &["httpd"],
    ports: known(&[Port::http(80)], SOURCE),
    user: known(
        User { name: "www-data", ids: Some((33, 33)), alpine: Some((82, 82)), starts_as_root: true },
        SOURCE,
    ),
    contents: known(
        &[
            Contents { variant: Variant::Alpine, shell: true, has: &["wget"], lacks: &["curl"] },
            Contents { variant: Variant::Every, shell: true, has: &[], lacks: &["curl", "wget"] },
        ],
        SOURCE,
    ),
    stop_signal: known("SIGWINCH", SOURCE),
    releases: known(
        &[
            Release::new("2.2", 2017, 7, 11),
            Release::new("2.0", 2013, 7, 10),
            Release::new("1.3", 2010, 2, 3),
        ],
        Source::new("endoflife.date: apache-http-server, column of security support", 2026, 8, 22),
    ),
    ..Software::new("httpd", "Apache HTTP Server", Role::Web, SOURCE)
};
