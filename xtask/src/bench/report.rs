//! The figures, as Markdown and as JSON.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::measure::{Cost, median};

/// Who built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Ours,
    /// Ours with another option: zstd instead of gzip.
    OursZstd,
    /// The installed engine's.
    BuildKit,
    /// Debian 13's engine with buildx.
    BuildKit26,
    Floor,
}

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursZstd => "ours, zstd",
            Self::BuildKit => "buildkit",
            Self::BuildKit26 => "buildkit 26.1",
            Self::Floor => "floor",
        }
    }
}

/// Everything that was measured, in the order of the first measurement.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(String, String)>,
    costs: BTreeMap<(usize, Subject), Vec<Cost>>,
}

impl Report {
    pub(crate) fn add(&mut self, workload: &str, case: &str, subject: Subject, cost: Cost) {
        let row = (workload.to_owned(), case.to_owned());
        let index = self.rows.iter().position(|known| *known == row).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        eprintln!(
            "[bench] {workload}, {case}, {}: {:.3} s, cpu {:.2} s",
            subject.name(),
            cost.wall,
            cost.cpu
        );
        self.costs.entry((index, subject)).or_default().push(cost);
    }

    fn median(&self, row: usize, subject: Subject, of: impl Fn(&Cost) -> f64) -> Option<f64> {
        self.costs.get(&(row, subject)).map(|costs| median(costs.iter().map(of)))
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from(
            "| workload | case | runs | ours s | BuildKit s | ratio | ours cpu s | BuildKit cpu s | ratio | floor s | over floor | peak MB |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for (row, (workload, case)) in self.rows.iter().enumerate() {
            for subject in [Subject::Ours, Subject::OursZstd] {
                let Some(ours) = self.median(row, subject, |cost| cost.wall) else { continue };
                let runs = self.costs.get(&(row, subject)).map_or(0, Vec::len);
                let cpu = self.median(row, subject, |cost| cost.cpu);
                // the faster of them, if there are several
                let best = [Subject::BuildKit, Subject::BuildKit26]
                    .into_iter()
                    .filter_map(|peer| Some((peer, self.median(row, peer, |cost| cost.wall)?)))
                    .min_by(|one, other| one.1.total_cmp(&other.1));
                let peer = best.map(|(_, wall)| wall);
                let peer_cpu = best.and_then(|(peer, _)| self.median(row, peer, |cost| cost.cpu));
                let floor = self.median(row, Subject::Floor, |cost| cost.wall);
                let peak = |subject| {
                    self.costs
                        .get(&(row, subject))
                        .and_then(|costs| costs.iter().filter_map(|cost| cost.peak).reduce(f64::max))
                };
                let peaks = match (peak(subject), peak(Subject::BuildKit)) {
                    (Some(ours), Some(peer)) => format!("{ours:.0} / {peer:.0}"),
                    _ => String::new(),
                };
                let zstd = if subject == Subject::OursZstd { ", zstd" } else { "" };
                let cells = [
                    workload.clone(),
                    format!("{case}{zstd}"),
                    runs.to_string(),
                    seconds(Some(ours)),
                    seconds(peer),
                    ratio(peer, Some(ours)),
                    seconds(cpu),
                    seconds(peer_cpu),
                    ratio(peer_cpu, cpu),
                    seconds(floor),
                    floor.map_or_else(String::new, |floor| format!("{:+.1} %", (ours / floor - 1.0) * 100.0)),
                    peaks,
                ];
                // writing to a string cannot fail
                let _ = writeln!(text, "| {} |", cells.join(" | "));
            }
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.rows.iter().enumerate().map(|(row, (workload, case))| {
            let subjects: BTreeMap<&str, Value> = self
                .costs
                .iter()
                .filter(|((of, _), _)| *of == row)
                .map(|((_, subject), costs)| {
                    let value = json!({
                        "wall_median": median(costs.iter().map(|cost| cost.wall)),
                        "cpu_median": median(costs.iter().map(|cost| cost.cpu)),
                        "wall": costs.iter().map(|cost| cost.wall).collect::<Vec<_>>(),
                        "cpu": costs.iter().map(|cost| cost.cpu).collect::<Vec<_>>(),
                        "peak_mb": costs.iter().filter_map(|cost| cost.peak).collect::<Vec<_>>(),
                    });
                    (subject.name(), value)
                })
                .collect();
            json!({ "workload": workload, "case": case, "subjects": subjects })
        });
        Value::Array(rows.collect())
    }
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.3}"))
}

fn ratio(peer: Option<f64>, ours: Option<f64>) -> String {
    match (peer, ours) {
        (Some(peer), Some(ours)) if ours > 0.0 => format!("{:.2}", peer / ours),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        let mut report = Report::default();
        let cost = |wall| Cost { wall, cpu: wall / 2.0, peak: None };
        for wall in [0.1, 0.3, 0.2] {
            report.add("api", "cold", Subject::Ours, cost(wall));
            report.add("api", "cold", Subject::BuildKit, cost(wall * 4.0));
        }
        let line = report.markdown().lines().last().map(str::to_owned);
        assert_eq!(
            line.as_deref(),
            Some("| api | cold | 3 | 0.200 | 0.800 | 4.00 | 0.100 | 0.400 | 4.00 |  |  |  |")
        );
        assert_eq!(report.json()[0]["subjects"]["ours"]["wall"][1], 0.3);
    }
}
