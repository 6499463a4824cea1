//! One self-contained page: no script, no font, no picture from anywhere else.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, value::Serde};
use serde_json::json;

use super::groups;
use crate::{
    certificate::{Certificate, Claim, Status},
    quantity,
};

const TEMPLATE: &str = include_str!("../../templates/certificate.html");

/// Why the page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the certificate's page cannot be written: {0}")]
pub struct HtmlError(#[from] minijinja::Error);

/// The certificate as a page.
pub fn html(certificate: &Certificate) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template("certificate", TEMPLATE)?;
    let groups: Vec<_> = groups(certificate)
        .into_iter()
        .map(|(group, claims)| {
            let proved = claims.iter().filter(|claim| claim.status == Status::Proved).count();
            let claims: Vec<_> = claims.into_iter().map(view).collect();
            json!({ "heading": group.heading(), "proved": proved, "total": claims.len(), "claims": claims })
        })
        .collect();
    let images: Vec<_> = certificate
        .images
        .iter()
        .map(|image| {
            json!({
                "service": image.service, "declared": image.declared, "names": image.names.join(", "),
                "id": image.id, "size": quantity::bytes(image.bytes), "stand_in": image.stand_in,
            })
        })
        .collect();
    let (engine, workload) = (&certificate.engine, &certificate.workload);
    let page = json!({
        "project": certificate.project,
        "measured_at": certificate.measured_at,
        "seconds": format!("{:.1}", certificate.seconds),
        "plimsoll": certificate.plimsoll,
        "holds": certificate.holds(),
        "disturbed": certificate.disturbed,
        "summary": certificate.summary,
        "engine": {
            "version": engine.version, "api": engine.api, "os": engine.os, "kernel": engine.kernel,
            "architecture": engine.architecture, "cpus": engine.cpus, "memory": quantity::bytes(engine.memory),
            "cgroup": format!("v{} ({})", engine.cgroup_version, engine.cgroup_driver),
            "security": engine.security.join(", "), "storage": engine.storage_driver,
        },
        "workload": {
            "requests": workload.requests, "routes": workload.routes, "concurrency": workload.concurrency,
            "seconds": format!("{:.1}", workload.seconds),
        },
        "images": images,
        "groups": groups,
    });
    Ok(environment.get_template("certificate")?.render(Serde(page))?)
}

fn view(claim: &Claim) -> serde_json::Value {
    json!({
        "id": claim.id,
        "class": claim.status.words().replace(' ', "-"),
        "words": claim.status.words(),
        "subject": claim.subject,
        "title": claim.title,
        "requirements": claim.requirements.join(" "),
        "expected": claim.expected,
        "observed": claim.observed,
        "evidence": claim.evidence,
        "open": claim.status == Status::Failed,
    })
}

#[cfg(test)]
mod tests {
    use crate::certificate::tests::sample;

    #[test]
    fn the_page_is_whole_escaped_and_alone() {
        let mut certificate = sample();
        certificate.claims[0].observed = "<script>alert(1)</script>".to_owned();
        let page = super::html(&certificate).unwrap();
        assert!(page.contains("&lt;script&gt;alert(1)"), "not escaped");
        assert!(!page.contains("<script"), "a script");
        assert!(!page.contains("http://") && !page.contains("https://"), "something from elsewhere");
        for claim in &certificate.claims {
            let escaped = claim.id.replace('/', "&#x2f;");
            assert!(page.contains(&escaped), "{} is missing", claim.id);
        }
    }
}
