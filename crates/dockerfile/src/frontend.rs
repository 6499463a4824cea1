//! Which frontend a Dockerfile asks for: `# syntax=`, its other spellings, and what replaces it.
//!
//! BuildKit runs the image that the directive names. Plimsoll reads the language of `docker/dockerfile` itself and runs
//! no other frontend; a text for another one means something else, so it is refused where it says so.

use plimsoll_source::{Diagnostic, Source, Span};

use crate::syntax::detect_syntax;

/// The newest `docker/dockerfile` whose language is read here.
pub const IMPLEMENTED: (u32, u32) = (1, 26);

/// What a frontend's name means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frontend {
    /// Docker's own.
    Own,
    /// Docker's own under the name of another registry.
    Mirror,
    /// Another language.
    Foreign,
}

/// Looks at the frontend that `source` asks for; `replaced` is the build argument `BUILDKIT_SYNTAX`, which wins. Gives
/// what a person should know.
///
/// # Errors
/// When it is another frontend than `docker/dockerfile`.
pub fn check_frontend(source: &Source, replaced: Option<&str>) -> Result<Vec<Diagnostic>, Diagnostic> {
    let replaced = replaced.filter(|name| !name.is_empty());
    let Some(name) = replaced.map(str::to_owned).or_else(|| detect_syntax(source.text())) else {
        return Ok(Vec::new());
    };
    let name = name.split(' ').next().unwrap_or_default();
    let at = |problem: Diagnostic| match replaced {
        Some(_) => problem,
        None => problem.label(source, span(source.text(), name), ""),
    };
    let mut notes = Vec::new();
    match kind(name) {
        Frontend::Own => {}
        Frontend::Mirror => {
            notes.push(at(Diagnostic::warning(format!(
                "`{name}` is taken for a mirror of docker/dockerfile"
            ))));
        }
        Frontend::Foreign => {
            let from = if replaced.is_some() { "BUILDKIT_SYNTAX" } else { "the Dockerfile" };
            return Err(at(Diagnostic::error(format!("{from} asks for the frontend `{name}`")))
                .note("this builder reads docker/dockerfile itself and runs no other frontend")
                .hint(
                    "remove the line if the file is a plain Dockerfile, or say so with --build-arg \
                     BUILDKIT_SYNTAX=docker/dockerfile:1; else build it with BuildKit",
                ));
        }
    }
    if let Some(version) = version(name).filter(|version| *version > IMPLEMENTED) {
        notes.push(at(Diagnostic::warning(format!(
            "docker/dockerfile {}.{} is newer than {}.{}, which this builder reads",
            version.0, version.1, IMPLEMENTED.0, IMPLEMENTED.1
        ))));
    }
    Ok(notes)
}

/// Where the directive's value stands: in one of the first lines.
fn span(text: &str, name: &str) -> Span {
    text.find(name).map_or_else(Span::default, |at| Span::new(at, at + name.len()))
}

fn kind(name: &str) -> Frontend {
    let (repository, _) = repository_and_tag(name);
    let (rest, last) = repository.rsplit_once('/').unwrap_or(("", repository));
    if !matches!(last, "dockerfile" | "dockerfile-upstream") {
        return Frontend::Foreign;
    }
    match rest {
        "docker" | "docker.io/docker" | "index.docker.io/docker" | "registry-1.docker.io/docker" => {
            Frontend::Own
        }
        _ if rest.rsplit('/').next() == Some("docker") => Frontend::Mirror,
        _ => Frontend::Foreign,
    }
}

/// `REPOSITORY[:TAG][@DIGEST]`
fn repository_and_tag(name: &str) -> (&str, Option<&str>) {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    let after_slash = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[after_slash..].find(':') {
        Some(colon) => (&name[..after_slash + colon], Some(&name[after_slash + colon + 1..])),
        None => (name, None),
    }
}

/// `1.27.0-labs` -> 1.27; `None` for a tag that names no version, and 1.0 for `1`.
fn version(name: &str) -> Option<(u32, u32)> {
    let tag = repository_and_tag(name).1?;
    let tag = tag.split('-').next()?;
    let mut numbers = tag.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().map_or(Some(0), |minor| minor.parse().ok())?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str, replaced: Option<&str>) -> Result<usize, String> {
        let checked = check_frontend(&Source::new("Dockerfile", text), replaced);
        checked.map(|notes| notes.len()).map_err(|error| error.title)
    }

    #[test]
    fn foreign_syntax_is_refused() {
        for own in [
            "docker/dockerfile:1",
            "docker/dockerfile",
            "docker.io/docker/dockerfile:1.4",
            "docker/dockerfile-upstream:master-labs",
            "docker/dockerfile:1-labs",
            "docker/dockerfile:1.26.0@sha256:0123",
            "docker/dockerfile:labs trailing words",
        ] {
            for form in
                ["# syntax=", "#syntax = ", "// syntax=", "#!/usr/bin/env x\n# syntax=", "\u{feff}# Syntax="]
            {
                assert_eq!(checked(&format!("{form}{own}\nFROM scratch\n"), None), Ok(0), "{form}{own}");
            }
        }
        for mirror in ["registry.example/mirror/docker/dockerfile:1", "localhost:5000/docker/dockerfile"] {
            assert_eq!(checked(&format!("# syntax={mirror}\n"), None), Ok(1), "{mirror}");
        }
        assert_eq!(checked("# syntax=docker/dockerfile:1.99\n", None), Ok(1));
        assert_eq!(checked("# syntax=docker/dockerfile:2\n", None), Ok(1));
        for foreign in [
            "example.org/team/frontend:v3",
            "devthefuture/dockerfile-x",
            "dockerfile:1",
            "evil/dockerfile",
            "a/docker/dockerfile-x",
        ] {
            let error =
                checked(&format!("# escape=`\n# syntax={foreign}\nFROM scratch\n"), None).unwrap_err();
            assert_eq!(error, format!("the Dockerfile asks for the frontend `{foreign}`"));
            assert!(checked(&format!("{{\"syntax\": \"{foreign}\"}}"), None).is_err());
        }
        // too late: BuildKit takes it for a comment as well
        assert_eq!(checked("FROM scratch\n# syntax=example.org/x\n", None), Ok(0));
        assert_eq!(checked("# a comment\n# syntax=example.org/x\n", None), Ok(0));
    }

    #[test]
    fn the_build_argument_wins() {
        assert_eq!(checked("# syntax=example.org/x\n", Some("docker/dockerfile:1")), Ok(0));
        assert!(checked("FROM scratch\n", Some("example.org/x")).is_err());
        assert!(checked("# syntax=example.org/x\n", Some("")).is_err());
    }

    #[test]
    fn the_line_is_shown() {
        let source = Source::new("Dockerfile", "# syntax=example.org/team/frontend:v3\nFROM scratch\n");
        let error = check_frontend(&source, None).unwrap_err();
        assert_eq!(source.line_col(error.labels[0].span.start).line, 1);
    }
}
