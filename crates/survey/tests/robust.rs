//! Whatever a repository holds: no panic, and an end in time.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use plimsoll_survey::{Limits, Repository, render, survey};
use proptest::{collection::vec, prelude::*, sample::select};

const NAMES: [&str; 8] = [
    "package.json",
    "pnpm-workspace.yaml",
    "docker-compose.yml",
    "apps/backend/package.json",
    "apps/backend/src/config.ts",
    "apps/backend/src/app.ts",
    "apps/backend/tsconfig.build.json",
    "apps/frontend/public/config.js",
];

/// The example's own files.
fn example() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pivotal");
    let Ok(repository) = Repository::open(&root, Limits::default()) else { return Vec::new() };
    repository
        .files()
        .filter_map(|path| Some((path.to_owned(), fs::read_to_string(root.join(path)).ok()?)))
        .collect()
}

/// Cuts a piece out of a text and puts another one there.
fn damage(text: &str, from: usize, length: usize, insert: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let from = from % (chars.len() + 1);
    let to = (from + length).min(chars.len());
    chars[..from].iter().copied().chain(insert.chars()).chain(chars[to..].iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(
        damages in vec((select(&NAMES[..]), 0..5000_usize, 0..60_usize, "[\\PC\"'`{}()\\[\\]$<>/\n,:*&!|-]{0,6}"), 1..6),
    ) {
        let mut files = example();
        prop_assert!(files.len() > 20);
        for (name, from, length, insert) in damages {
            if let Some((_, text)) = files.iter_mut().find(|(path, _)| path == name) {
                *text = damage(text, from, length, &insert);
            }
        }
        let survey = survey(&Repository::from_files("x", files));
        prop_assert!(!render(&survey).is_empty());
    }
}

/// Texts that make simple searches quadratic.
#[test]
fn texts_made_to_be_slow_end_in_time() {
    let slow = [
        "a.use('/x',b);".repeat(20_000),
        "a.get('/x',".repeat(20_000),
        "a.register(p,{prefix:'/x'});".repeat(10_000),
        "function f(a,b,c){env[a];".repeat(10_000),
        "import{x}from'./x';a.use('/x',x);".repeat(8_000),
        "`${".repeat(100_000),
        "a<".repeat(130_000),
        "process.env.AB??".repeat(20_000),
        "(".repeat(300_000),
    ];
    let package = r#"{ "name": "x", "dependencies": { "express": "5" } }"#;
    for text in slow {
        let start = Instant::now();
        let name: String = text.chars().take(20).collect();
        survey(&Repository::from_files("x", [("package.json", package), ("src/a.ts", &text)]));
        // A debug build on a busy machine: a quadratic search would take minutes.
        assert!(start.elapsed() < Duration::from_secs(20), "{name}: {:?}", start.elapsed());
    }
}
