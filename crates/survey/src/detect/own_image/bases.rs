//! What the name of a base image says of what is in it.

use plimsoll_facts::{Entrypoint, ImageName, Role, images::distroless, of_image};

/// What is known of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// There is no shell in it.
    pub(super) bare: bool,
    /// It has no entrypoint, or one that starts what it is given.
    pub(super) passes_on: bool,
}

/// What the name of a base says; `scratch` is one.
pub(super) fn of(image: &str) -> Base {
    if image == "scratch" {
        return Base { bare: true, passes_on: true };
    }
    let (path, tag) = parts(image);
    let name = ImageName::read(image);
    let found = of_image(image);
    if found.is_some_and(|found| found.software.id == "distroless") {
        return Base { bare: !distroless::has_shell(tag), passes_on: distroless::passes_on(name.name) };
    }
    if path.contains("chainguard/") {
        return Base { bare: !tag.ends_with("-dev"), passes_on: false };
    }
    let microsoft = path.starts_with("mcr.microsoft.com/dotnet/");
    let bare = microsoft && (tag.contains("chiseled") || tag.contains("distroless"));
    // A server's image may start what it is given too, and has a program of its own that it starts else.
    let known = found.is_some_and(|found| {
        let entrypoint = found.software.entrypoint.map(|entrypoint| entrypoint.value);
        matches!(found.software.role, Role::Language | Role::Base) && entrypoint == Some(Entrypoint::PassesOn)
    });
    Base { bare, passes_on: (name.is_official() || microsoft) && known }
}

/// An image whose program speaks FastCGI: `php:8.3-fpm-alpine`.
pub(super) fn is_fastcgi(image: &str) -> bool {
    let (path, tag) = parts(image);
    let name = path.rsplit('/').next().unwrap_or(path);
    let fpm = |text: &str| text.split(['-', '_', '.']).any(|part| part == "fpm");
    name.contains("php") && (fpm(tag) || fpm(name))
}

/// The path and the tag.
fn parts(image: &str) -> (&str, &str) {
    let bare = image.split('@').next().unwrap_or(image);
    match bare.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (bare, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_say_whether_they_have_a_shell_and_an_entrypoint() {
        for image in
            ["scratch", "gcr.io/distroless/static-debian12:nonroot", "cgr.dev/chainguard/static:latest"]
        {
            assert!(of(image).bare, "{image}");
        }
        for image in ["alpine:3.20", "gcr.io/distroless/base:debug", "registry.example:5000/team/base"] {
            assert!(!of(image).bare, "{image}");
        }
        assert!(of("mcr.microsoft.com/dotnet/aspnet:8.0-jammy-chiseled").bare);
        for image in
            ["debian:12", "docker.io/library/php:8.3-apache", "gcr.io/distroless/static", "alpine@sha256:00"]
        {
            assert!(of(image).passes_on, "{image}");
        }
        for image in
            ["team/alpine:1", "gcr.io/distroless/java21", "registry.example:5000/debian", "nginx:1.27"]
        {
            assert!(!of(image).passes_on, "{image}");
        }
    }

    #[test]
    fn php_fpm_is_told_from_php() {
        assert!(is_fastcgi("php:8.3-fpm-alpine") && is_fastcgi("serversideup/php-fpm:8"));
        assert!(!is_fastcgi("php:8.3-apache") && !is_fastcgi("fpm:1") && !is_fastcgi("php"));
    }
}
