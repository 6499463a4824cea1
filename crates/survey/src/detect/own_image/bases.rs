//! What the name of a base image says of what is in it.

/// What is known of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// There is no shell in it.
    pub(super) bare: bool,
    /// It has no entrypoint, or one that starts what it is given.
    pub(super) passes_on: bool,
}

/// Official images without an entrypoint, and those whose entrypoint ends with `exec "$@"`.
const PASS_ON: [&str; 34] = [
    "alpine",
    "almalinux",
    "amazoncorretto",
    "amazonlinux",
    "archlinux",
    "aspnet",
    "buildpack-deps",
    "busybox",
    "dart",
    "debian",
    "eclipse-temurin",
    "elixir",
    "erlang",
    "fedora",
    "gcc",
    "golang",
    "gradle",
    "haskell",
    "ibmjava",
    "julia",
    "maven",
    "mono",
    "node",
    "openjdk",
    "oraclelinux",
    "perl",
    "php",
    "python",
    "rockylinux",
    "ruby",
    "rust",
    "runtime-deps",
    "swift",
    "ubuntu",
];

/// What the name of a base says; `scratch` is one.
pub(super) fn of(image: &str) -> Base {
    let (path, tag) = parts(image);
    let name = path.rsplit('/').next().unwrap_or(path);
    if image == "scratch" {
        return Base { bare: true, passes_on: true };
    }
    let distroless = path.contains("/distroless/") || path.starts_with("distroless/");
    if distroless {
        // Google's have an entrypoint where they run a language: java, nodejs, python3.
        let plain = ["static", "base", "cc"].iter().any(|kind| name.starts_with(kind));
        return Base { bare: !tag.contains("debug"), passes_on: plain };
    }
    if path.contains("chainguard/") {
        return Base { bare: !tag.ends_with("-dev"), passes_on: false };
    }
    let microsoft = path.starts_with("mcr.microsoft.com/dotnet/");
    let bare = microsoft && (tag.contains("chiseled") || tag.contains("distroless"));
    let official =
        !path.contains('/') || path.starts_with("library/") || path.starts_with("docker.io/library/");
    let known = PASS_ON.contains(&name) || (microsoft && matches!(name, "runtime" | "sdk"));
    Base { bare, passes_on: (official || microsoft) && known }
}

/// An image whose program speaks FastCGI: `php:8.3-fpm-alpine`.
pub(super) fn is_fastcgi(image: &str) -> bool {
    let (path, tag) = parts(image);
    let name = path.rsplit('/').next().unwrap_or(path);
    let fpm = |text: &str| text.split(['-', '_', '.']).any(|part| part == "fpm");
    name.contains("php") && (fpm(tag) || fpm(name))
}

/// The last part of an image's path: `nginx` of `docker.io/library/nginx:1.27`.
pub(super) fn name(image: &str) -> &str {
    let (path, _) = parts(image);
    path.rsplit('/').next().unwrap_or(path)
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
        assert_eq!(name("docker.io/library/nginx:1.27-alpine"), "nginx");
    }
}
