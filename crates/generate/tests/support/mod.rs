//! What tests of small stacks share.

use plimsoll_dockerfile::dockerignore::Matcher;
use plimsoll_generate::{Planned, Policy, generate, plan};
use plimsoll_survey::{Repository, survey};

/// The plan for a repository of these files. Whatever it is: no Dockerfile copies what its own ignore file excludes.
pub(crate) fn planned(files: &[(&str, &str)]) -> Planned {
    let survey = survey(&Repository::from_files("desk", files.iter().copied()));
    let planned = plan(&survey, &Policy::default(), &|_| false).unwrap();
    let written = generate(&planned.stack).unwrap();
    for dockerfile in written.iter().filter(|file| is_dockerfile(&file.path)) {
        let own = format!("{}.dockerignore", dockerfile.path);
        let ignore = written
            .iter()
            .find(|file| file.path == own)
            .or_else(|| written.iter().find(|file| file.path == ".dockerignore"));
        let ignore = Matcher::parse(&ignore.unwrap().text).unwrap();
        for source in copied(&dockerfile.text) {
            let excluded = ignore.matches(source);
            assert!(
                !excluded,
                "{} copies {source}, which is excluded:\n{}",
                dockerfile.path, dockerfile.text
            );
        }
    }
    planned
}

fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("Dockerfile") && !name.ends_with(".dockerignore")
}

/// The sources of COPY in the context.
fn copied(dockerfile: &str) -> impl Iterator<Item = &str> {
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    lines.filter(|line| !line.contains("--from=")).flat_map(|line| {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with("--")).collect();
        words[..words.len() - 1].to_vec()
    })
}

/// A file that the plan writes.
pub(crate) fn file(planned: &Planned, path: &str) -> String {
    generate(&planned.stack).unwrap().into_iter().find(|file| file.path == path).unwrap().text
}
