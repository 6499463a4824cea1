//! What a claim answers to in public documents that its reader can look up.

/// A document and the part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) text: &'static str,
    pub(super) address: &'static str,
}

const CIS: &str = "https://www.cisecurity.org/benchmark/docker";
const OWASP_DOCKER: &str = "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html";
const OWASP_HEADERS: &str = "https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html";
const OWASP_SECRETS: &str =
    "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html";

/// Of a claim by its id; sections of the CIS Docker Benchmark are those of version 1.6.
pub(super) fn of(id: &str) -> Option<Reference> {
    let (text, address) = match id.split('/').next().unwrap_or(id) {
        "process-user" => ("CIS Docker Benchmark, 4.1", CIS),
        "apparmor" => ("CIS Docker Benchmark, 5.2", CIS),
        "capabilities" => ("CIS Docker Benchmark, 5.4", CIS),
        "host-isolation" => ("CIS Docker Benchmark, 5.5, 5.6, 5.10, 5.16 and 5.32", CIS),
        "published-ports" => ("CIS Docker Benchmark, 5.9", CIS),
        "memory-limit" => ("CIS Docker Benchmark, 5.11", CIS),
        "cpu-limit" => ("CIS Docker Benchmark, 5.12", CIS),
        "read-only-root" => ("CIS Docker Benchmark, 5.13", CIS),
        "seccomp" => ("CIS Docker Benchmark, 5.22", CIS),
        "no-new-privileges" => ("CIS Docker Benchmark, 5.26", CIS),
        "health" => ("CIS Docker Benchmark, 5.27", CIS),
        "pids-limit" => ("CIS Docker Benchmark, 5.29", CIS),
        "store-isolation" | "no-egress" => ("OWASP Docker Security, rule 5", OWASP_DOCKER),
        "secrets-image" | "secrets-runtime" | "secret-files" => ("OWASP Secrets Management", OWASP_SECRETS),
        "security-headers" => ("OWASP HTTP Headers", OWASP_HEADERS),
        "tls" => ("RFC 9325, Recommendations for TLS", "https://www.rfc-editor.org/rfc/rfc9325"),
        "caching" => ("RFC 9111, HTTP Caching", "https://www.rfc-editor.org/rfc/rfc9111"),
        "compression" => ("RFC 9110, 8.4", "https://www.rfc-editor.org/rfc/rfc9110#section-8.4"),
        _ => return None,
    };
    Some(Reference { text, address })
}
