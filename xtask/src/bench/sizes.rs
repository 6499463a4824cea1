//! `cargo xtask bench sizes`: our images of the four systems beside what their documents promise and beside the image of
//! one stage that a tutorial makes of the same service, on the same base.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{
    naive::{self, Naive},
    ours::{self, Ours},
    systems::{self, Service},
};
use crate::shell;

#[derive(Args)]
pub(crate) struct Options {
    /// Only this system: maestroverse, atlantiplex, edenconz or pivotal
    #[arg(long, value_name = "SYSTEM")]
    only: Option<String>,
    /// Measure this binary instead of the release build
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Bytes of the unpacked layers by service, as the claim `image-size` of `verify` counts them.
type Sizes = BTreeMap<String, u64>;

pub(crate) fn run(options: &Options) -> Result<()> {
    let systems = systems::systems(options.only.as_deref())?;
    eprintln!(
        "[bench] bases and packages are fetched from Debian's mirror and the registries of npm and Python"
    );
    let folder = shell::target().join("bench");
    fs::create_dir_all(&folder)?;
    let ours = Ours::new(options.binary.clone(), folder.join("home"), ours::host())?;
    systems::make_bases(&ours)?;
    let mut rows = Vec::new();
    for system in systems {
        let project = folder.join("sizes").join(system);
        systems::initialised(&ours, system, &project)?;
        let own = built(&ours, &project)?;
        let mut naive = Sizes::new();
        for service in systems::services_of(system) {
            naive.insert(service.name.to_owned(), naive_size(&ours, service, &folder.join("naive"))?);
        }
        let file = project.join("promises.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let bounds = bounds(&text).with_context(|| format!("in {}", file.display()))?;
        rows.extend(rows_of(system, &own, &naive, &bounds)?);
        fs::write(folder.join("sizes.json"), serde_json::to_vec_pretty(&as_json(&rows))?)?;
    }
    print!("{}", markdown(&rows));
    let over: Vec<String> = rows.iter().filter(|row| row.is_over()).map(Row::name).collect();
    if !over.is_empty() {
        bail!("larger than the document says: {}", over.join(", "));
    }
    Ok(())
}

/// Builds a project's images and says how large they are. One that is over its budget is a figure, too.
fn built(ours: &Ours, project: &Path) -> Result<Sizes> {
    eprintln!("[bench] plimsoll build in {}", project.display());
    let mut build = ours.plimsoll(&["build", "--json"]);
    let output = build.current_dir(project).stdin(Stdio::null()).output().context("cannot start plimsoll")?;
    ensure!(
        matches!(output.status.code(), Some(0 | 1)),
        "plimsoll build in {} ended with {}\n{}",
        project.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let value: Value =
        serde_json::from_slice(&output.stdout).context("plimsoll build --json prints no JSON")?;
    let mut sizes = Sizes::new();
    for image in value["images"].as_array().context("plimsoll build --json names no images")? {
        let bytes = image["bytes"].as_u64().context("an image of plimsoll build --json has no bytes")?;
        for service in image["services"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            sizes.insert(service.to_owned(), bytes);
        }
    }
    Ok(sizes)
}

fn naive_size(ours: &Ours, service: &Service, folder: &Path) -> Result<u64> {
    eprintln!("[bench] the naive image of {}", service.id());
    let naive = Naive::lay_out(service, service.base().image, folder)?;
    let tag = naive::tag(service);
    shell::quiet(&mut naive.build(ours, &tag))?;
    let output = ours.plimsoll(&["image", "inspect", &tag]).stdin(Stdio::null()).output()?;
    let value: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("plimsoll image inspect {tag} prints no JSON"))?;
    value[0]["bytes"].as_u64().with_context(|| format!("plimsoll image inspect {tag} names no bytes"))
}

/// What a document allows: these services together, in MB.
#[derive(Debug, PartialEq, Eq)]
struct Bound {
    services: Vec<String>,
    most: u64,
}

/// The promises of images' sizes in a promises.toml.
fn bounds(text: &str) -> Result<Vec<Bound>> {
    let file: toml::Table = text.parse()?;
    let mut bounds = Vec::new();
    for promise in file.get("promise").and_then(toml::Value::as_array).into_iter().flatten() {
        let Some(images) = promise.get("images") else { continue };
        let services = images.get("services").and_then(toml::Value::as_array).into_iter().flatten();
        let services: Vec<String> = services.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        let most = images.get("at_most_mb").and_then(toml::Value::as_integer);
        let most = most.and_then(|most| u64::try_from(most).ok()).context("images without at_most_mb")?;
        ensure!(!services.is_empty(), "images without services");
        bounds.push(Bound { services, most });
    }
    Ok(bounds)
}

/// One line: a service, or several that the document counts together.
struct Row {
    system: String,
    services: Vec<String>,
    ours: u64,
    naive: u64,
    /// MB.
    document: Option<u64>,
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.system, self.services.join(" + "))
    }

    fn ratio(&self) -> f64 {
        self.naive as f64 / self.ours as f64
    }

    fn is_over(&self) -> bool {
        self.document.is_some_and(|most| self.ours > most * 1_000_000)
    }
}

/// A line for each service with an image, and one for each bound of several of them.
fn rows_of(system: &str, own: &Sizes, naive: &Sizes, bounds: &[Bound]) -> Result<Vec<Row>> {
    let alone = naive.keys().map(|name| vec![name.clone()]);
    let together = bounds.iter().filter(|bound| bound.services.len() > 1).map(|bound| bound.services.clone());
    let sum = |sizes: &Sizes, services: &[String]| -> Result<u64> {
        let size = |name: &String| {
            sizes.get(name).copied().with_context(|| format!("{system} has no image of a service {name}"))
        };
        services.iter().map(size).sum()
    };
    let row = |services: Vec<String>| {
        Ok(Row {
            system: system.to_owned(),
            ours: sum(own, &services)?,
            naive: sum(naive, &services)?,
            document: bounds.iter().filter(|bound| bound.services == services).map(|bound| bound.most).min(),
            services,
        })
    };
    let rows = alone.chain(together).map(row).collect::<Result<Vec<Row>>>()?;
    for bound in bounds {
        let shown = rows.iter().any(|row| row.services == bound.services);
        ensure!(shown, "{system} has no image of a service {}", bound.services.join(", "));
    }
    Ok(rows)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn markdown(rows: &[Row]) -> String {
    let mut text =
        "| system | service | ours MB | document MB | naive MB | naive / ours |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        let document = row.document.map_or_else(|| "-".to_owned(), |most| format!("<= {most}"));
        // writing to a string cannot fail
        let _ = writeln!(
            text,
            "| {} | {} | {} | {document} | {} | {:.2} |",
            row.system,
            row.services.join(" + "),
            megabytes(row.ours),
            megabytes(row.naive),
            row.ratio()
        );
    }
    text
}

fn as_json(rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        json!({
            "system": row.system,
            "services": row.services,
            "bytes": row.ours,
            "naive_bytes": row.naive,
            "document_mb": row.document,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(of: &[(&str, u64)]) -> Sizes {
        of.iter().map(|(name, megabytes)| ((*name).to_owned(), megabytes * 1_000_000)).collect()
    }

    const PROMISES: &str = "document = \"Guide\"\n\
        [[promise]]\nsays = \"a\"\nclaims = [\"health\"]\n\
        [[promise]]\nsays = \"b\"\nimages = { services = [\"api\"], at_most_mb = 100 }\n\
        [[promise]]\nsays = \"c\"\nimages = { services = [\"api\", \"site\"], at_most_mb = 120 }\n";

    #[test]
    fn figures_of_a_document_stand_beside_ours() {
        let bounds = bounds(PROMISES).unwrap();
        let (own, naive) = (sizes(&[("api", 90), ("site", 40)]), sizes(&[("api", 360), ("site", 400)]));
        let rows = rows_of("shop", &own, &naive, &bounds).unwrap();
        assert_eq!(
            markdown(&rows).lines().skip(2).collect::<Vec<_>>(),
            [
                "| shop | api | 90.0 | <= 100 | 360.0 | 4.00 |",
                "| shop | site | 40.0 | - | 400.0 | 10.00 |",
                "| shop | api + site | 130.0 | <= 120 | 760.0 | 5.85 |",
            ]
        );
        let over: Vec<String> = rows.iter().filter(|row| row.is_over()).map(Row::name).collect();
        assert_eq!(over, ["shop api + site"]);
    }

    #[test]
    fn a_figure_of_a_service_without_an_image_is_refused() {
        let bounds = [Bound { services: vec!["db".to_owned()], most: 10 }];
        let error = rows_of("shop", &sizes(&[("api", 1)]), &sizes(&[("api", 1)]), &bounds).err().unwrap();
        assert_eq!(error.to_string(), "shop has no image of a service db");
    }

    #[test]
    fn documents_of_the_examples_are_read() {
        for (system, count) in [("edenconz", 2), ("pivotal", 2), ("maestroverse", 1)] {
            let file = shell::root().join("examples").join(system).join("promises.toml");
            assert_eq!(bounds(&fs::read_to_string(file).unwrap()).unwrap().len(), count, "{system}");
        }
    }
}
