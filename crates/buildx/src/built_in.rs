//! The build arguments and variables that speak to the builder: the tables "BuildKit built-in build args" of the
//! Dockerfile reference and "Build variables" of Docker's documentation.

use plimsoll_source::Failure;

use crate::values::boolean;

/// Read elsewhere: where steps are made, by the checks, by the epoch.
const ELSEWHERE: [&str; 5] = [
    "BUILDKIT_CACHE_MOUNT_NS",
    "BUILDKIT_SANDBOX_HOSTNAME",
    "BUILDKIT_DOCKERFILE_CHECK",
    "BUILDKIT_SBOM_SCAN_CONTEXT",
    "BUILDKIT_SBOM_SCAN_STAGE",
];

/// What build arguments ask of the builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuiltIn {
    /// `BUILDKIT_INLINE_CACHE`
    pub inline_cache: bool,
    /// `BUILDKIT_MULTI_PLATFORM`
    pub multi_platform: Option<bool>,
    /// `BUILDKIT_CONTEXT_KEEP_GIT_DIR`
    pub keep_git_dir: bool,
    /// `BUILDKIT_ATTEST_SBOM` and `BUILDKIT_ATTEST_PROVENANCE`, as `--attest` takes them.
    pub attest: Vec<String>,
    /// What is accepted and changes nothing.
    pub notes: Vec<String>,
}

impl BuiltIn {
    /// Reads the build arguments; of two with one name the later counts.
    pub fn read(build_args: &[(String, String)]) -> Result<Self, Failure> {
        let mut found = Self::default();
        for (number, (name, value)) in build_args.iter().enumerate() {
            let again = build_args[number + 1..].iter().any(|(later, _)| later == name);
            let Some(what) = name.strip_prefix("BUILDKIT_").filter(|_| !again) else { continue };
            let truth = || {
                boolean(value).map_err(|why| {
                    let title = format!("--build-arg {name}={value}: {why}");
                    Failure::new(title, format!("write {name}=1, {name}=0, or leave it out"))
                })
            };
            let mut ignored = |why: &str| found.notes.push(format!("note: {name} is ignored: {why}"));
            match what {
                "INLINE_CACHE" => found.inline_cache = truth()?,
                "MULTI_PLATFORM" if value.is_empty() => {}
                "MULTI_PLATFORM" => found.multi_platform = Some(truth()?),
                "CONTEXT_KEEP_GIT_DIR" => found.keep_git_dir = truth()?,
                "ATTEST_SBOM" | "ATTEST_PROVENANCE" => {
                    let kind = what.trim_start_matches("ATTEST_").to_ascii_lowercase();
                    let fields = if value.is_empty() { String::new() } else { format!(",{value}") };
                    found.attest.push(format!("type={kind}{fields}"));
                }
                "SYNTAX" => ignored("plimsoll reads Dockerfiles itself"),
                "BUILD_NAME" => ignored("there is no list of builds that a name would stand in"),
                _ if ELSEWHERE.contains(&name.as_str()) => {}
                _ => ignored("no build argument of BuildKit has this name"),
            }
        }
        Ok(found)
    }

    /// Whether the result is given out as those for several platforms are.
    pub fn several(&self, platforms: usize) -> Result<bool, Failure> {
        match self.multi_platform {
            Some(false) if platforms > 1 => Err(Failure::new(
                format!("BUILDKIT_MULTI_PLATFORM=0 and {platforms} platforms exclude one another"),
                "build for one --platform, or leave BUILDKIT_MULTI_PLATFORM out",
            )),
            said => Ok(said.unwrap_or(platforms > 1)),
        }
    }
}

/// A note for each of buildx's variables that is set and changes nothing here.
pub fn variables(metadata: bool) -> Vec<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut notes = Vec::new();
    if set("BUILDX_BUILDER").is_some_and(|name| name != "default") {
        notes.push("note: BUILDX_BUILDER is ignored: there is one builder".to_owned());
    }
    if metadata {
        for (name, instead) in [
            ("BUILDX_METADATA_PROVENANCE", "--provenance with an output says how the image was built"),
            ("BUILDX_METADATA_WARNINGS", "--call=check,format=json lists warnings"),
        ] {
            let off = |value: &String| value == "disabled" || boolean(value) == Ok(false);
            if set(name).is_some_and(|value| !off(&value)) {
                notes.push(format!("note: {name} is ignored: {instead}"));
            }
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[(&str, &str)]) -> Result<BuiltIn, Failure> {
        let args: Vec<_> =
            args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        BuiltIn::read(&args)
    }

    #[test]
    fn built_in_build_arguments_are_ignored() {
        for yes in ["1", "t", "T", "true", "TRUE", "True"] {
            let found = read(&[
                ("BUILDKIT_INLINE_CACHE", yes),
                ("BUILDKIT_CONTEXT_KEEP_GIT_DIR", yes),
                ("BUILDKIT_MULTI_PLATFORM", yes),
            ]);
            let found = found.unwrap();
            assert_eq!(
                (found.inline_cache, found.keep_git_dir, found.multi_platform),
                (true, true, Some(true))
            );
            assert_eq!(found.notes, [""; 0]);
            assert!(found.several(1).unwrap());
        }
        let off = read(&[("BUILDKIT_INLINE_CACHE", "1"), ("BUILDKIT_INLINE_CACHE", "F")]).unwrap();
        assert!(!off.inline_cache && !off.several(1).unwrap() && off.several(2).unwrap());
        assert!(read(&[("BUILDKIT_MULTI_PLATFORM", "false")]).unwrap().several(2).is_err());
        for name in ["BUILDKIT_INLINE_CACHE", "BUILDKIT_CONTEXT_KEEP_GIT_DIR", "BUILDKIT_MULTI_PLATFORM"] {
            assert!(read(&[(name, "yes")]).is_err(), "{name}");
        }
        let notes = read(&[
            ("BUILDKIT_SYNTAX", "docker/dockerfile:1"),
            ("BUILDKIT_BUILD_NAME", "x"),
            ("BUILDKIT_INLINE_CASH", "1"),
            ("BUILDKIT_CACHE_MOUNT_NS", "x"),
            ("OTHER", "x"),
        ]);
        assert_eq!(notes.unwrap().notes.len(), 3);
        let attest = read(&[("BUILDKIT_ATTEST_PROVENANCE", "mode=max"), ("BUILDKIT_ATTEST_SBOM", "")]);
        assert_eq!(attest.unwrap().attest, ["type=provenance,mode=max", "type=sbom"]);
    }
}
