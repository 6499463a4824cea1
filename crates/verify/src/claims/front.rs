//! The pages of the HTTP front that the HTTP claims look at, fetched once.

use std::path::Path;

use crate::{
    http::{Answer, Ask, Endpoint},
    stack::Stack,
};

/// What kind of answer a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `/`
    FrontPage,
    /// A file of the front page whose name holds a digest of its content.
    HashedAsset,
    /// A file of the front page with a fixed name, made or replaced at run time.
    PlainFile,
    /// A file beside the hashed asset that does not exist.
    MissingAsset,
    /// `/health`
    Health,
    /// A path of the application that only the browser knows.
    DeepLink,
    /// An answer of the application behind the front.
    Proxied,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) role: Role,
    pub(crate) path: String,
    pub(crate) answer: Answer,
}

/// The front and its pages.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(crate) service: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) pages: Vec<Page>,
}

impl Front {
    pub(crate) fn page(&self, role: Role) -> Option<&Page> {
        self.pages.iter().find(|page| page.role == role)
    }

    /// What a claim about a page is about.
    pub(crate) fn subject(&self, page: &Page) -> String {
        format!("{} {}", self.service, page.path)
    }
}

/// Fetches the pages; the reason if there is no front that serves pages.
pub(crate) async fn front<'s>(stack: &'s Stack<'_>) -> &'s Result<Front, String> {
    stack.front_pages.get_or_init(|| fetch(stack)).await
}

async fn fetch(stack: &Stack<'_>) -> Result<Front, String> {
    let (member, endpoint) = stack.front().ok_or("no TCP port is published")?;
    let get = async |role, path: String| match endpoint.send(&Ask::get(&path)).await {
        Ok(answer) => Ok(Page { role, path, answer }),
        Err(error) => Err(format!("GET {path}: {error}")),
    };
    let first = get(Role::FrontPage, "/".to_owned()).await?;
    if !first.answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
        return Err("the front serves no pages: / is not text/html".to_owned());
    }
    let files = local_files(&first.answer.text());
    let mut pages = vec![first];
    if let Some(hashed) = files.iter().find(|path| is_hashed(path)) {
        let folder = hashed.rsplit_once('/').map_or("", |(folder, _)| folder);
        let missing = format!("{folder}/plimsoll-missing-0a1b2c3d.js");
        pages.push(get(Role::HashedAsset, hashed.clone()).await?);
        pages.push(get(Role::MissingAsset, missing).await?);
    }
    if let Some(plain) = files.iter().find(|path| !is_hashed(path) && is_script(path)) {
        pages.push(get(Role::PlainFile, plain.clone()).await?);
    }
    pages.push(get(Role::Health, "/health".to_owned()).await?);
    pages.push(get(Role::DeepLink, "/plimsoll/deep/link".to_owned()).await?);
    let checks = stack.options.smoke.iter().flat_map(|file| &file.checks);
    let proxied = checks
        .filter(|check| check.at.is_none() && !check.stream && !check.request.contains('{'))
        .filter_map(|check| check.request.strip_prefix("GET "))
        .find(|path| path.starts_with("/api"));
    if let Some(path) = proxied {
        pages.push(get(Role::Proxied, path.to_owned()).await?);
    }
    Ok(Front { service: member.service.clone(), endpoint, pages })
}

/// The files of the same origin that a page names in `src` and `href`.
fn local_files(html: &str) -> Vec<String> {
    let mut files = Vec::new();
    for attribute in ["src=\"", "href=\""] {
        for rest in html.split(attribute).skip(1) {
            let path = rest.split(['"', '?', '#']).next().unwrap_or("");
            let path = path.strip_prefix("./").map_or_else(|| path.to_owned(), |rest| format!("/{rest}"));
            let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
            if path.starts_with('/') && !path.starts_with("//") && is_file && !files.contains(&path) {
                files.push(path);
            }
        }
    }
    files
}

fn is_script(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "js")
}

/// `index-BHIbNaK-.js`, `main.3f2a91bc.css`: eight or more characters of a digest before the extension.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let tail = stem.split_once(['-', '.']).map_or("", |(_, tail)| tail);
    let is_digest = |part: &str| {
        part.len() >= 8
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && part.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    };
    is_digest(tail) || tail.rsplit(['-', '.']).next().is_some_and(is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_page() {
        let html = r#"<link href="/a/index-Dxi2koAw.css"><script src="/config.js"></script><script src="./x.js?v=1"></script>
            <a href="/about">x</a><img src="//cdn.example/y.png"><script src="https://cdn.example/z.js"></script>"#;
        assert_eq!(local_files(html), ["/config.js", "/x.js", "/a/index-Dxi2koAw.css"]);
    }

    #[test]
    fn digests_in_names() {
        assert!(is_hashed("/assets/index-BHIbNaK-.js"));
        assert!(is_hashed("/assets/index-Dxi2koAw.css"));
        assert!(is_hashed("/static/main.3f2a91bc.css"));
        assert!(!is_hashed("/config.js"));
        assert!(!is_hashed("/favicon.svg"));
        assert!(!is_hashed("/assets/some-component.js"));
    }
}
