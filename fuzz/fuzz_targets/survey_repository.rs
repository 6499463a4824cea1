//! A small repository of any files is surveyed, planned and generated: no panic, every place is inside of its file, and
//! each generated file is read by our own readers.
//!
//! Sections are separated by zero bytes: each is a path, a line break and the file's text.
#![no_main]
use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use plimsoll_compose::{LoadOptions, NoFiles, interpolate};
use plimsoll_fuzz::text::{Quick, expand, own_yaml};
use plimsoll_generate::{LOCK_FILE, Lock, Policy, generate, make_secrets, plan};
use plimsoll_source::Source;
use plimsoll_survey::{Evidence, Repository, Survey, answer, render, survey, take_defaults};
use plimsoll_verify::smoke::SmokeFile;

const MOST: usize = 24;

fuzz_target!(|text: &str| {
    let (_quick, text) = (Quick::new(), &*expand(text));
    let mut files: BTreeMap<&str, &str> = BTreeMap::new();
    for section in text.split('\0').take(MOST) {
        let (path, text) = section.split_once('\n').unwrap_or((section, ""));
        if !path.is_empty() && path.len() < 100 {
            files.insert(path, text);
        }
    }
    let repository = Repository::from_files("desk", files.iter().map(|(path, text)| (*path, *text)));
    let mut found = survey(&repository);
    assert!(!render(&found).is_empty());
    places(&found, &files);
    // What is asked can be answered by what it offers.
    for question in found.questions.clone() {
        for value in question.options.iter().chain(&question.default).take(4) {
            let mut other = found.clone();
            if answer(&mut other, &BTreeMap::from([(question.id.clone(), value.clone())])).is_ok() {
                write(&other, &files);
            }
        }
    }
    write(&found, &files);
    take_defaults(&mut found);
    write(&found, &files);
});

fn places(survey: &Survey, files: &BTreeMap<&str, &str>) {
    // Every evidence anywhere in the survey, by its form.
    let value = serde_json::to_value(survey).expect("a survey is written");
    let mut left = vec![&value];
    while let Some(value) = left.pop() {
        match value {
            serde_json::Value::Object(map) => {
                if let Ok(evidence) = evidence(value) {
                    let text = files.get(evidence.file.as_str()).copied().unwrap_or_default();
                    let place = text.get(evidence.start..evidence.end);
                    assert!(place.is_some() || evidence.start == evidence.end, "{evidence:?}");
                    assert!(evidence.line >= 1 && evidence.line <= text.split('\n').count(), "{evidence:?}");
                }
                left.extend(map.values());
            }
            serde_json::Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
}

fn evidence(value: &serde_json::Value) -> Result<Evidence, ()> {
    let number = |key: &str| value[key].as_u64().map(|number| number as usize).ok_or(());
    let text = |key: &str| value[key].as_str().map(str::to_owned).ok_or(());
    Ok(Evidence {
        file: text("file")?,
        line: number("line")?,
        start: number("start")?,
        end: number("end")?,
        reason: text("reason")?,
    })
}

fn write(survey: &Survey, files: &BTreeMap<&str, &str>) {
    let Ok(planned) = plan(survey, &Policy::default(), &|path| files.contains_key(path)) else { return };
    let generated = generate(&planned.stack).expect("the templates fit every stack");
    make_secrets(&planned.stack, &|_| None, &mut |bytes| {
        bytes.fill(7);
        Ok(())
    })
    .expect("secrets are made");
    for file in &generated {
        let (path, text) = (file.path.as_str(), file.text.as_str());
        assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path}");
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.ends_with("Dockerfile") || name.starts_with("Dockerfile") && !name.ends_with(".dockerignore") {
            if let Err(errors) = plimsoll_dockerfile::parse(&Source::new(path, text)) {
                panic!("{}\n{text}", errors[0].one_line());
            }
        } else if name.ends_with(".yml") {
            own_yaml(path, text);
            let mut options = LoadOptions::new(vec![Source::new(path, text)], "/p");
            options.default_name = Some("p".to_owned());
            // What only a person knows is asked for in the file: `${REDIS_URL:?set REDIS_URL}`.
            let asked = interpolate::variables(text).expect("our own variables");
            let asked = asked.into_iter().filter(|variable| variable.required);
            options.env = asked.map(|variable| (variable.name, "x".to_owned())).collect();
            if let Err(errors) = plimsoll_compose::load(&options, &NoFiles) {
                panic!("{}\n{text}", errors[0].one_line());
            }
        } else if name == "smoke.toml" {
            if let Err(errors) = SmokeFile::parse(&Source::new(path, text)) {
                panic!("{}\n{text}", errors[0].one_line());
            }
        } else if name == "plimsoll.toml" {
            if let Err(error) = toml::from_str::<toml::Table>(text) {
                panic!("{error}\n{text}");
            }
        }
    }
    let _ = (LOCK_FILE, Lock::default());
}
