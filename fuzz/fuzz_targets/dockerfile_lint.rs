//! Any Dockerfile with any .dockerignore, options, build arguments and base environment is checked: no panic, every
//! place is inside of the text, and checking fewer stages never finds more.
//!
//! Sections are separated by zero bytes: Dockerfile, .dockerignore, options, target, `NAME=VALUE` lines of build
//! arguments, and of the base image's environment.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plimsoll_dockerfile::{
    BuildInputs, Platform,
    checks::{self, BaseImage, CheckOptions},
    dockerignore::Matcher,
};
use plimsoll_source::Source;

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().take(16).filter_map(pair).collect()
}

fuzz_target!(|text: &str| {
    let mut sections = text.split('\0');
    let mut next = || sections.next().unwrap_or_default();
    let (dockerfile, ignore, config, target, args, env) = (next(), next(), next(), next(), next(), next());
    let matcher = Matcher::parse(ignore).ok();
    let env = pairs(env);
    let images = |name: &str| {
        let known = BaseImage { env: env.clone(), shell: Vec::new(), platform: Some(Platform::host()) };
        (!name.starts_with('u')).then_some(known)
    };
    let source = Source::new("Dockerfile", dockerfile);
    let report = |all_stages: bool| {
        let mut inputs = BuildInputs::default();
        inputs.build_args.extend(pairs(args));
        inputs.target = (!target.is_empty()).then(|| target.to_owned());
        let options = CheckOptions {
            inputs,
            all_stages,
            config: (!config.is_empty()).then_some(config),
            dockerignore: matcher.as_ref(),
            images: &images,
            replaced: &|name| name.starts_with('r'),
        };
        checks::check(&source, &options)
    };
    let (all, needed) = (report(true), report(false));
    for finding in all.findings.iter().chain(&needed.findings) {
        assert!(dockerfile.get(finding.span.range()).is_some(), "{finding:?}");
        assert!(finding.line >= 1 && finding.line <= dockerfile.lines().count().max(1), "{finding:?}");
        let _ = finding.diagnostic(&source);
    }
    for label in [&all, &needed]
        .into_iter()
        .flat_map(|report| &report.error)
        .flat_map(|error| &error.diagnostic.labels)
    {
        assert!(dockerfile.get(label.span.range()).is_some(), "{label:?}");
    }
    if all.error.is_none() {
        assert!(needed.error.is_none(), "{:?}", needed.error);
        assert!(needed.findings.len() <= all.findings.len());
    }
});
