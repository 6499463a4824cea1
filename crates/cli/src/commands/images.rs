//! `plimsoll images`: what the project's containers run.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use futures_util::future::join_all;
use plimsoll_ops::{Failure, stack};
use plimsoll_stack::labels;
use serde::Serialize;
use serde_json::Value;

use crate::{
    commands::ps::rows::{decimal, human},
    project::ProjectArgs,
    template::{Format, aligned},
};

/// List the images of the project's containers
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these services
    services: Vec<String>,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// `table` or `json`
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// A line, with the keys of docker compose's JSON.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    #[serde(rename = "ID")]
    id: String,
    container_name: String,
    repository: String,
    tag: String,
    platform: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_tag_time: Option<String>,
}

impl Shown {
    /// `named` is the image as the container was made with.
    fn new(container: String, id: &str, named: &str, raw: &Value) -> Self {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let tags: Vec<&str> =
            raw["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wanted = format!("{named}:latest");
        let name = tags.iter().find(|tag| **tag == named || **tag == wanted).or(tags.first());
        let (repository, tag) = name.and_then(|name| name.rsplit_once(':')).unwrap_or_default();
        let mut platform = [&raw["Os"], &raw["Architecture"], &raw["Variant"]].map(text);
        Self {
            id: id.to_owned(),
            container_name: container,
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            platform: platform.iter_mut().filter_map(Option::take).collect::<Vec<_>>().join("/"),
            size: raw["Size"].as_u64().unwrap_or(0),
            created: text(&raw["Created"]),
            last_tag_time: text(&raw["Metadata"]["LastTagTime"]),
        }
    }

    fn cells(self) -> [String; 7] {
        let or_none = |text: String| if text.is_empty() { "<none>".to_owned() } else { text };
        let created = self.created.and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let now = jiff::Timestamp::now().as_second();
        [
            self.container_name,
            or_none(self.repository),
            or_none(self.tag),
            self.platform,
            self.id.trim_start_matches("sha256:").chars().take(12).collect(),
            decimal(self.size),
            created.map_or_else(|| "N/A".to_owned(), |time| format!("{} ago", human(now - time.as_second()))),
        ]
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let format = if args.json {
        Format::Json
    } else {
        Format::parse(args.format.as_deref().unwrap_or_default(), false)?
    };
    let name = stack::project_name(&args.project)?;
    let filter = [format!("{}={name}", labels::PROJECT), format!("{}=False", labels::ONEOFF)];
    let services = &args.services;
    let mut shown: Vec<Shown> = stack::with_engine(|engine| async move {
        let mut containers = engine.containers_labelled(&filter).await?;
        containers.retain(|container| {
            let service = container.label(labels::SERVICE).unwrap_or_default();
            services.is_empty() || services.iter().any(|asked| asked == service)
        });
        let ids: BTreeSet<&str> = containers.iter().map(|one| one.image_id.as_str()).collect();
        let looked =
            ids.iter().map(|id| async { (*id, engine.inspect_image_raw(id).await.unwrap_or(Value::Null)) });
        let raw: BTreeMap<&str, Value> = join_all(looked).await.into_iter().collect();
        Ok(containers
            .iter()
            .map(|container| {
                let named = container.label(labels::IMAGE_NAME).unwrap_or(&container.image);
                let found = raw.get(container.image_id.as_str()).unwrap_or(&Value::Null);
                Shown::new(container.name.clone(), &container.image_id, named, found)
            })
            .collect())
    })?;
    shown.sort_by(|a, b| a.container_name.cmp(&b.container_name));
    if args.quiet {
        let mut ids: Vec<&str> = shown.iter().map(|image| image.id.trim_start_matches("sha256:")).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            outln!("{id}");
        }
    } else if format == Format::Json {
        let text = serde_json::to_string(&shown)?;
        println!("{text}");
    } else {
        let head = ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"];
        let mut lines = vec![head.join("\t")];
        lines.extend(shown.into_iter().map(|image| image.cells().join("\t")));
        out!("{}", aligned(&lines));
    }
    Ok(ExitCode::SUCCESS)
}
