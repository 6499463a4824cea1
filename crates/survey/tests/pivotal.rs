//! What is found in examples/pivotal.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use plimsoll_survey::{ReadLimits, Repository, Survey, render, survey};
use serde_json::Value;

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/pivotal")
}

fn surveyed() -> Survey {
    survey(&Repository::open(&example(), ReadLimits::default()).unwrap())
}

#[test]
fn text_for_people() {
    insta::assert_snapshot!(render(&surveyed()));
}

#[test]
fn json_for_programs() {
    insta::assert_json_snapshot!(surveyed());
}

/// Every piece of evidence in the JSON names a place that exists, and its line is that of its span.
#[test]
fn every_fact_has_evidence_at_a_real_place() {
    let json = serde_json::to_value(surveyed()).unwrap();
    let mut places = Vec::new();
    collect(&json, &mut places);
    assert!(places.len() > 60, "{}", places.len());
    let mut texts = BTreeMap::new();
    for place in places {
        let file = place["file"].as_str().unwrap();
        let text =
            texts.entry(file.to_owned()).or_insert_with(|| fs::read_to_string(example().join(file)).unwrap());
        let number = |key: &str| usize::try_from(place[key].as_u64().unwrap()).unwrap();
        let (start, end) = (number("start"), number("end"));
        assert_eq!(number("line"), text[..start].matches('\n').count() + 1, "{place}");
        // A file that is evidence by being there has no span.
        assert!(end == 0 || !text[start..end].trim().is_empty(), "{place}");
        assert!(!place["reason"].as_str().unwrap().is_empty());
    }
}

fn collect(value: &Value, places: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, places)),
        Value::Object(members) => {
            for (key, member) in members {
                if key == "evidence" {
                    let evidence = member.as_array().unwrap();
                    assert!(!evidence.is_empty(), "{value}");
                    places.extend(evidence.iter().cloned());
                } else {
                    collect(member, places);
                }
            }
        }
        _ => {}
    }
}
