//! Docker's credential helpers: programs named `docker-credential-NAME` that keep passwords.

use std::{
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::auth::Credential;

/// A helper may ask the keyring, which may ask a person; longer than this nobody waits.
const TIMEOUT: Duration = Duration::from_secs(30);
/// No answer is larger.
const MAX_ANSWER: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks a helper for the credential of a server. `None` when it has none, or is not installed: then the registry may
/// still give its images to everybody.
pub(super) fn ask(helper: &str, server: &str) -> Result<Option<Credential>, String> {
    let name_fits = !helper.is_empty()
        && helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !name_fits {
        return Err("a credential helper's name has letters, digits, `-`, `_` and `.` only".to_owned());
    }
    let program = format!("docker-credential-{helper}");
    let started = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match started {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        started => started.map_err(|error| format!("cannot start `{program}`: {error}"))?,
    };
    if let Some(mut input) = child.stdin.take() {
        // a helper that ends without reading has its own reason to fail
        let _ = input.write_all(server.as_bytes());
    }
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(output) = output {
            let _ = output.take(MAX_ANSWER).read_to_end(&mut bytes);
        }
        bytes
    });
    let succeeded = wait(&mut child).map_err(|reason| format!("`{program}` {reason}"))?;
    let bytes = reader.join().unwrap_or_default();
    if !succeeded {
        // helpers say on standard output that they know nothing; the rest of their words may hold secrets
        let text = String::from_utf8_lossy(&bytes);
        let known_nothing =
            text.contains("credentials not found") || text.contains("no credentials server URL");
        return if known_nothing { Ok(None) } else { Err(format!("`{program}` failed")) };
    }
    let answer: Answer =
        serde_json::from_slice(&bytes).map_err(|_| format!("`{program}` gave no usable answer"))?;
    Ok(Some(match answer.username.as_str() {
        // the protocol's mark of an identity token
        "<token>" => Credential::RefreshToken(answer.secret),
        _ => Credential::Password { user: answer.username, password: answer.secret },
    }))
}

fn wait(child: &mut Child) -> Result<bool, String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if start.elapsed() > TIMEOUT => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("gave no answer in {} s", TIMEOUT.as_secs()));
            }
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(error.to_string()),
        }
    }
}
