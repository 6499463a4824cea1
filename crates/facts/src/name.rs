//! The name of an image, read as far as it can be: a name that a registry would refuse still says what it says.

/// `registry.example:5000/team/postgres:17-alpine@sha256:…` in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageName<'a> {
    /// The registry, where one is named.
    pub registry: Option<&'a str>,
    /// What stands between registry and name; empty for Docker's official images.
    pub owner: &'a str,
    /// The last part of the path.
    pub name: &'a str,
    /// The tag, where there is one.
    pub tag: Option<&'a str>,
    /// What stands behind `@`.
    pub digest: Option<&'a str>,
}

impl<'a> ImageName<'a> {
    /// Reads a name. No text is refused.
    pub fn read(text: &'a str) -> Self {
        let (bare, digest) = text.split_once('@').map_or((text, None), |(bare, digest)| (bare, Some(digest)));
        let (path, tag) = match bare.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (bare, None),
        };
        let (registry, path) = match path.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
            _ => (None, path),
        };
        let (owner, name) = path.rsplit_once('/').unwrap_or(("", path));
        let owner = if owner == "library" { "" } else { owner };
        Self { registry, owner, name, tag, digest }
    }

    /// Whether it is one of Docker's official images, from Docker's own registry.
    pub fn is_official(&self) -> bool {
        self.owner.is_empty() && matches!(self.registry, None | Some("docker.io"))
    }

    /// What the tag says.
    pub fn tag(&self) -> super::Tag<'a> {
        super::Tag::read(self.tag.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_their_parts() {
        let parts = |text| {
            let name = ImageName::read(text);
            (name.registry, name.owner, name.name, name.tag)
        };
        assert_eq!(parts("postgres"), (None, "", "postgres", None));
        assert_eq!(parts("postgres:17-alpine@sha256:00"), (None, "", "postgres", Some("17-alpine")));
        assert_eq!(parts("docker.io/library/redis:8"), (Some("docker.io"), "", "redis", Some("8")));
        assert_eq!(parts("registry:5000/team/a/b"), (Some("registry:5000"), "team/a", "b", None));
        assert_eq!(parts("localhost/x:1"), (Some("localhost"), "", "x", Some("1")));
        assert_eq!(parts("bitnami/postgresql:16"), (None, "bitnami", "postgresql", Some("16")));
        assert_eq!(parts(""), (None, "", "", None));
        assert!(ImageName::read("library/debian:12").is_official());
        assert!(!ImageName::read("registry.example:5000/debian").is_official());
    }
}
