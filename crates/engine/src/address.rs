//! Where the engine is: `DOCKER_HOST`, else `DOCKER_CONTEXT` or the current context of `docker context`, else the usual
//! sockets of this machine. The same order as the docker command has.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::error::EngineError;

/// A context's description is small.
const MAX_BYTES: u64 = 1 << 20;

/// An engine's address with what is needed to trust it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// `unix://`, `tcp://`, `http://`, `https://` or `ssh://`.
    pub(crate) host: String,
    /// TLS, if the address is of TCP.
    pub(crate) tls: Option<TlsFiles>,
    /// The docker context that named it.
    pub(crate) context: Option<String>,
}

/// The files of a TLS connection; each may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl TlsFiles {
    fn of(directory: &Path) -> Self {
        let file = |name: &str| Some(directory.join(name)).filter(|path| path.is_file());
        Self { ca: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem") }
    }
}

/// The address of the engine to use; `None` if nothing names one and the usual sockets are to be tried.
pub(crate) fn wanted(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Address>, EngineError> {
    let var = |name: &str| env(name).filter(|value| !value.is_empty());
    let directory =
        var("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(PathBuf::from(var("HOME")?).join(".docker")));
    let tls = || -> Option<TlsFiles> {
        var("DOCKER_TLS_VERIFY")?;
        let files = var("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| directory.clone());
        Some(files.map(|files| TlsFiles::of(&files)).unwrap_or_default())
    };
    if let Some(host) = var("DOCKER_HOST") {
        return Ok(Some(Address { host, tls: tls(), context: None }));
    }
    let context = var("DOCKER_CONTEXT").or_else(|| current(directory.as_deref()?));
    match context {
        Some(name) if name != "default" => {
            let refused = |why: String| EngineError::BadContext { name: name.clone(), why };
            let directory = directory.clone().ok_or_else(|| refused("HOME is not set".into()))?;
            of_context(&directory.join("contexts"), &name).map(Some).map_err(refused)
        }
        _ => Ok(None),
    }
}

/// The context that `docker context use` has chosen.
fn current(directory: &Path) -> Option<String> {
    let config: Value = serde_json::from_str(&read(&directory.join("config.json")).ok()?).ok()?;
    config["currentContext"].as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Directories of contexts are named by a digest; the name inside decides.
fn of_context(contexts: &Path, name: &str) -> Result<Address, String> {
    let missing = || format!("{} has no such context", contexts.display());
    for entry in fs::read_dir(contexts.join("meta")).map_err(|_| missing())?.flatten() {
        let Ok(text) = read(&entry.path().join("meta.json")) else { continue };
        let Ok(meta) = serde_json::from_str::<Value>(&text) else { continue };
        if meta["Name"].as_str() != Some(name) {
            continue;
        }
        let docker = &meta["Endpoints"]["docker"];
        if docker["SkipTLSVerify"].as_bool() == Some(true) {
            return Err("it says SkipTLSVerify: whoever answers would be trusted, so it is not used".into());
        }
        let host = docker["Host"].as_str().filter(|host| !host.is_empty());
        let host = host.ok_or("it has no address of a docker endpoint")?.to_owned();
        let files = TlsFiles::of(&contexts.join("tls").join(entry.file_name()).join("docker"));
        let tls = (files != TlsFiles::default()).then_some(files);
        return Ok(Address { host, tls, context: Some(name.to_owned()) });
    }
    Err(missing())
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Result<Option<Address>, EngineError> {
        wanted(&|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    fn config() -> PathBuf {
        let root = std::env::temp_dir().join(format!("plimsoll-test-contexts-{}", std::process::id()));
        let meta = root.join("contexts/meta/abc");
        let tls = root.join("contexts/tls/abc/docker");
        fs::create_dir_all(&meta).unwrap();
        fs::create_dir_all(&tls).unwrap();
        fs::create_dir_all(root.join("contexts/meta/def")).unwrap();
        fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://far:2376","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        fs::write(
            root.join("contexts/meta/def/meta.json"),
            r#"{"Name":"lax","Endpoints":{"docker":{"Host":"tcp://lax:2376","SkipTLSVerify":true}}}"#,
        )
        .unwrap();
        fs::write(tls.join("ca.pem"), "").unwrap();
        fs::write(root.join("config.json"), r#"{"currentContext":"far"}"#).unwrap();
        root
    }

    #[test]
    fn the_host_variable_goes_before_contexts_and_the_chosen_one_counts() {
        let root = config();
        let root_text = root.display().to_string();
        let base = ("DOCKER_CONFIG", root_text.as_str());
        let far = with(&[base]).unwrap().unwrap();
        assert_eq!((far.host.as_str(), far.context.as_deref()), ("tcp://far:2376", Some("far")));
        assert_eq!(far.tls.unwrap().ca.unwrap(), root.join("contexts/tls/abc/docker/ca.pem"));
        let given = with(&[base, ("DOCKER_HOST", "ssh://a@b")]).unwrap().unwrap();
        assert_eq!((given.host.as_str(), given.tls), ("ssh://a@b", None));
        assert_eq!(with(&[base, ("DOCKER_CONTEXT", "default")]).unwrap(), None);
        let missing = with(&[base, ("DOCKER_CONTEXT", "nowhere")]).unwrap_err();
        assert!(missing.to_string().starts_with("docker context `nowhere`: "), "{missing}");
        let lax = with(&[base, ("DOCKER_CONTEXT", "lax")]).unwrap_err();
        assert!(lax.to_string().contains("SkipTLSVerify"), "{lax}");
        let verified = with(&[base, ("DOCKER_HOST", "tcp://x:1"), ("DOCKER_TLS_VERIFY", "1")]).unwrap();
        assert!(verified.unwrap().tls.is_some());
        assert_eq!(with(&[]).unwrap(), None);
    }
}
