//! `--call=targets`: the stages of a Dockerfile, with the comments that describe them.

use plimsoll_dockerfile::{Platform, Stage, parse};
use plimsoll_source::Failure;
use serde::Serialize;

use super::{Asked, Location, base64, json, table};

#[derive(Serialize)]
struct List {
    targets: Vec<Target>,
    sources: [String; 1],
}

#[derive(Serialize)]
struct Target {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    default: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    base: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    platform: String,
    location: Location,
}

impl Target {
    fn new(stage: &Stage, default: bool) -> Self {
        let platform = stage.platform.as_ref().map_or("", |word| word.text.as_str());
        Self {
            name: stage.name.as_ref().map_or_else(String::new, |name| name.text.clone()),
            default,
            description: stage.description().unwrap_or_default().to_owned(),
            base: stage.from.text.clone(),
            platform: Platform::parse(platform)
                .map_or_else(|_| platform.to_owned(), |known| known.to_string()),
            location: Location::new(stage.lines),
        }
    }

    fn shown(&self) -> String {
        match (self.name.as_str(), self.default) {
            ("", true) => "(default)".to_owned(),
            (name, true) => format!("{name} (default)"),
            (name, false) => name.to_owned(),
        }
    }
}

pub(super) fn text(asked: &Asked<'_>) -> Result<String, Failure> {
    let dockerfile = parse(asked.source())?;
    let last = dockerfile.stages.len().saturating_sub(1);
    let stages = dockerfile.stages.iter().enumerate();
    let targets: Vec<Target> = stages.map(|(index, stage)| Target::new(stage, index == last)).collect();
    if asked.json {
        return json(&List { targets, sources: [base64(asked.source().text().as_bytes())] });
    }
    let mut rows = vec![vec!["TARGET".to_owned(), "DESCRIPTION".to_owned()]];
    rows.extend(targets.iter().map(|target| vec![target.shown(), target.description.clone()]));
    Ok(table::columns(&rows, 1))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, request};

    #[test]
    fn stages_with_their_descriptions() {
        let file = "# build compiles\nFROM golang AS build\nFROM --platform=linux/amd64 x\n# release is small\nFROM build AS release\n";
        let request = request(file, None);
        let text = super::text(&asked(&request, false)).unwrap();
        assert_eq!(
            text,
            "TARGET            DESCRIPTION\nbuild             compiles\n                  \nrelease (default) is small\n"
        );
        let value: serde_json::Value =
            serde_json::from_str(&super::text(&asked(&request, true)).unwrap()).unwrap();
        assert_eq!(value["targets"][1]["platform"], "linux/amd64");
        assert_eq!(value["targets"][2]["location"]["ranges"][0]["start"]["line"], 5);
        assert_eq!(value["targets"][2]["default"], true);
    }
}
