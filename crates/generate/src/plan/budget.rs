//! How large an image may be, before anybody has measured it: what its kind takes, and room for packages that are known
//! to be large. A budget is there to notice growth; one that a sound image exceeds on its first day says nothing.

use plimsoll_survey::Service;

use crate::size::MEGABYTE;

/// Packages of Node.js that take much room, with what they bring, in MB.
const LARGE: [(&str, u32); 32] = [
    ("@aws-sdk/client-s3", 30),
    ("@google-cloud/storage", 30),
    ("@prisma/client", 80),
    ("@react-router/node", 40),
    ("@remix-run/node", 40),
    ("@sentry/node", 60),
    ("@sentry/profiling-node", 30),
    ("@tensorflow/tfjs", 200),
    ("@tensorflow/tfjs-node", 700),
    ("argon2", 10),
    ("aws-sdk", 100),
    ("bcrypt", 20),
    ("better-sqlite3", 30),
    ("canvas", 60),
    ("date-fns", 40),
    ("eslint", 30),
    ("ffmpeg-static", 80),
    ("firebase-admin", 100),
    ("googleapis", 200),
    ("jsdom", 30),
    ("mathjs", 30),
    ("newrelic", 30),
    ("onnxruntime-node", 300),
    ("pdfjs-dist", 40),
    ("playwright-core", 20),
    ("prettier", 20),
    ("prisma", 150),
    ("puppeteer", 60),
    ("sharp", 40),
    ("sqlite3", 60),
    ("typeorm", 40),
    ("typescript", 70),
];

/// Named packages up to here fit into what the kind takes.
const FEW: usize = 12;
/// What a further one brings with its own packages, in MB.
const EACH: u32 = 10;
/// Budgets are round numbers.
const STEP: u64 = 50 * MEGABYTE;

/// `base` bytes, with room for the large packages that a service names, and for many.
pub(super) fn with_packages(base: u64, service: &Service) -> u64 {
    let large: u32 = LARGE
        .iter()
        .filter(|(name, _)| service.needs.iter().any(|need| need == name))
        .map(|(_, size)| size)
        .sum();
    let many = u32::try_from(service.needs.len().saturating_sub(FEW)).unwrap_or(u32::MAX);
    let more = large.saturating_add(many.saturating_mul(EACH)).min(5000);
    if more == 0 {
        return base;
    }
    (base + u64::from(more) * MEGABYTE).next_multiple_of(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(needs: &[&str]) -> u64 {
        let mut files: Vec<(String, String)> = Vec::new();
        let list: Vec<String> = needs.iter().map(|name| format!("\"{name}\": \"1.0.0\"")).collect();
        files.push((
            "package.json".to_owned(),
            format!(
                "{{\"name\": \"shop\", \"main\": \"app.js\", \"dependencies\": {{{}}}}}",
                list.join(", ")
            ),
        ));
        files.push((
            "app.js".to_owned(),
            "const app = require('express')();\napp.listen(process.env.PORT || 3000);\n".to_owned(),
        ));
        let survey = plimsoll_survey::survey(&plimsoll_survey::Repository::from_files("shop", files));
        with_packages(150 * MEGABYTE, &survey.services[0]) / MEGABYTE
    }

    #[test]
    fn large_packages_and_many_of_them_have_room() {
        assert_eq!(budget(&["express", "pg"]), 150);
        assert_eq!(budget(&["express", "typescript"]), 250);
        assert_eq!(budget(&["express", "sqlite3"]), 250);
        let names: Vec<String> = (0..20).map(|n| format!("package-{n}")).collect();
        let mut many: Vec<&str> = names.iter().map(String::as_str).collect();
        many.push("express");
        assert_eq!(budget(&many), 250);
    }
}
