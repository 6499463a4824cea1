//! What a page of HTML names and shows, as far as the claims need it. No parser of the standard: a page that fools this
//! is judged as another kind of page, never as a better one.

use std::{collections::HashSet, path::Path};

/// The files of the same origin that a page names in `src` and `href`, with their query, in order, each once. `base` is
/// the page's own path.
pub(crate) fn local_files(html: &str, base: &str) -> Vec<String> {
    let own = own_base(html, base);
    let base = own.as_deref().unwrap_or(base);
    let mut files = Vec::new();
    let mut known = HashSet::new();
    for value in attributes(html, &["src", "href"]) {
        let path = value.split('#').next().unwrap_or("");
        let Some(path) = absolute(path, base) else { continue };
        let name = path.split('?').next().unwrap_or("").rsplit('/').next().unwrap_or("");
        if name.contains('.') && known.insert(path.clone()) {
            files.push(path);
        }
    }
    files
}

/// The address that a page says its relative ones begin with: `<base href="/">`, the first one of the page.
fn own_base(html: &str, page: &str) -> Option<String> {
    let is_base = |tag: &&str| {
        tag.split(|c: char| c.is_whitespace()).next().is_some_and(|name| name.eq_ignore_ascii_case("base"))
    };
    let tag = html.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0)).find(is_base)?;
    let href = *attributes(tag, &["href"]).first()?;
    absolute(href, page)
}

/// Scripts and styles that a page loads from other hosts, with the directive of a policy that allows them.
pub(crate) fn foreign_files(html: &str) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    let text = without(html, &["noscript", "template"]);
    for tag in text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0)) {
        let tag = format!(" {tag}");
        let style = || attributes(&tag, &["rel"]).iter().any(|rel| rel.eq_ignore_ascii_case("stylesheet"));
        let (kind, name) = match tag.split_whitespace().next() {
            Some(word) if word.eq_ignore_ascii_case("script") => ("script-src", "src"),
            Some(word) if word.eq_ignore_ascii_case("link") && style() => ("style-src", "href"),
            _ => continue,
        };
        for address in attributes(&tag, &[name]) {
            let address = address
                .strip_prefix("//")
                .map_or_else(|| address.to_owned(), |rest| format!("https://{rest}"));
            if address.starts_with("https://") || address.starts_with("http://") {
                files.push((kind, address));
            }
        }
    }
    files
}

/// The title, for telling pages apart.
pub(crate) fn title(html: &str) -> Option<&str> {
    let start = html.find("<title")?;
    let text = html[start..].split_once('>')?.1;
    Some(text.split_once("</title")?.0.trim())
}

/// True for the page of a single-page application: scripts, and nothing to read or to follow before they ran.
pub(crate) fn is_application(html: &str) -> bool {
    let body = without(html, &["script", "style", "noscript", "template", "head", "title", "svg"]);
    let links = attributes(&body, &["href", "action"]).into_iter().any(|link| link.starts_with('/'));
    let text: String = visible(&body).split_whitespace().collect::<Vec<_>>().join(" ");
    html.contains("<script") && !links && text.chars().count() <= 80
}

/// The same page, though a nonce or a token in it may differ: status apart, its title and the files that it names.
pub(crate) fn same_page(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    let files = local_files(&one, "/");
    !files.is_empty() && files == local_files(&other, "/") && title(&one) == title(&other)
}

/// Whether an error is a page that the application itself has made: it names a file of the front page and says something
/// else. What a server of files answers names none, and the front page under the status of an error says the same.
pub(crate) fn is_own_error(error: &[u8], front: &[u8]) -> bool {
    let (error, front) = (String::from_utf8_lossy(error), String::from_utf8_lossy(front));
    let files = local_files(&front, "/");
    let said = |html: &str| {
        let body = without(html, &["script", "style", "noscript", "template", "head", "title", "svg"]);
        visible(&body).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    local_files(&error, "/").iter().any(|file| files.contains(file)) && said(&error) != said(&front)
}

/// Folders whose files never change under one name: it holds a digest, or the build's id (SvelteKit, Next.js).
const IMMUTABLE: [&str; 2] = ["/immutable/", "/_next/static/"];
/// Folders of files whose whole name may be a digest (Nuxt, SvelteKit, the fonts of Astro).
const DIGESTS: [&str; 3] = ["/_nuxt/", "/_app/", "/_astro/"];

/// `index-BHIbNaK-.js`, `main.3f2a91bc.css`: eight or more characters of a digest before the extension.
pub(crate) fn is_hashed(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    if IMMUTABLE.iter().any(|folder| path.contains(folder)) {
        return true;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".map").unwrap_or(name);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let last = stem.rsplit(['-', '.']).next().filter(|last| last.len() < stem.len());
    // Eight characters of base64url may hold a `-` themselves.
    let eight = stem.len().checked_sub(8).filter(|at| stem.is_char_boundary(*at));
    let eight = eight.map(|at| stem.split_at(at)).filter(|(before, _)| before.ends_with(['-', '.']));
    let alone = DIGESTS.iter().any(|folder| path.starts_with(folder)) && is_digest(stem);
    alone || last.is_some_and(is_digest) || eight.is_some_and(|(_, digest)| is_digest(digest))
}

/// Not a word, a date (`2024-10-31`), the size of a picture (`640x1096`) or a version.
fn is_digest(part: &str) -> bool {
    let any = |fits: fn(u8) -> bool| part.bytes().any(fits);
    let digits = any(|byte| byte.is_ascii_digit());
    let (small, large) = (any(|byte| byte.is_ascii_lowercase()), any(|byte| byte.is_ascii_uppercase()));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_size = part.split_once('x').is_some_and(|(width, height)| number(width) && number(height));
    part.len() >= 8
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && (digits && (small || large) || large && (small || is_base32(part)) && part.len() == 8)
        && !is_size
}

/// The digests of esbuild are capital letters and 2 to 7: one in five has no digit.
fn is_base32(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7'))
}

/// `app.css?v=3f2a`: the query changes with the content.
pub(crate) fn is_versioned(path: &str) -> bool {
    path.split_once('?').is_some_and(|(_, query)| !query.is_empty())
}

/// Pictures, fonts, sound: no text, compressed already.
pub(crate) fn is_media(path: &str) -> bool {
    let kinds = [
        "png", "jpg", "jpeg", "gif", "webp", "avif", "ico", "svg", "woff", "woff2", "ttf", "otf", "eot",
        "mp3", "mp4", "webm", "ogg", "pdf",
    ];
    let path = path.split('?').next().unwrap_or(path);
    Path::new(path)
        .extension()
        .is_some_and(|extension| kinds.iter().any(|kind| extension.eq_ignore_ascii_case(kind)))
}

fn absolute(path: &str, base: &str) -> Option<String> {
    if path.starts_with("//") || path.contains(':') || path.is_empty() || path.contains(char::is_whitespace) {
        return None;
    }
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    let folder = base.split('?').next()?.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{folder}/{}", path.strip_prefix("./").unwrap_or(path)))
}

/// Values of attributes, in any quotes.
fn attributes<'a>(html: &'a str, names: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in html.match_indices('=') {
        let before = html[..at].trim_end();
        let is_named = names.iter().any(|name| {
            before.len() > name.len()
                && before.is_char_boundary(before.len() - name.len())
                && before[before.len() - name.len()..].eq_ignore_ascii_case(name)
                && before.as_bytes()[before.len() - name.len() - 1].is_ascii_whitespace()
        });
        if !is_named {
            continue;
        }
        let rest = html[at + 1..].trim_start();
        let value = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next(),
            _ => rest.split(|c: char| c.is_whitespace() || c == '>').next(),
        };
        found.extend(value);
    }
    found
}

/// Without these elements and what is in them.
fn without(html: &str, elements: &[&str]) -> String {
    let mut text = html.to_ascii_lowercase();
    for element in elements {
        let mut kept = String::with_capacity(text.len());
        let mut rest = text.as_str();
        let (open, close) = (format!("<{element}"), format!("</{element}"));
        while let Some(at) = rest.find(&open) {
            // `<header>` is no `<head>`.
            let next = rest[at + open.len()..].chars().next();
            if next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '-') {
                kept.push_str(&rest[..at + open.len()]);
                rest = &rest[at + open.len()..];
                continue;
            }
            kept.push_str(&rest[..at]);
            rest = match rest[at..].find(&close) {
                Some(end) => rest[at + end..].split_once('>').map_or("", |(_, rest)| rest),
                None => "",
            };
        }
        kept.push_str(rest);
        text = kept;
    }
    text
}

/// The text between tags.
fn visible(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        text.push(' ');
        rest = rest[at..].split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_page() {
        let html = r#"<link href="/a/index-Dxi2koAw.css"><script src="/config.js"></script><script src='./x.js?v=1'></script>
            <a href="/about">x</a><img src="//cdn.example/y.png"><script src="https://cdn.example/z.js"></script><img src=logo.svg data-src="/no.png">"#;
        assert_eq!(
            local_files(html, "/app/"),
            ["/a/index-Dxi2koAw.css", "/config.js", "/app/x.js?v=1", "/app/logo.svg"]
        );
    }

    #[test]
    fn a_page_says_where_its_relative_addresses_begin() {
        let html =
            r#"<head><base href="/"><script src="main.8e93744b.js"></script><link href="/a.css"></head>"#;
        assert_eq!(local_files(html, "/deep/link"), ["/main.8e93744b.js", "/a.css"]);
        let below = r"<BASE target=_top href='app/'><script src=main.js></script>";
        assert_eq!(local_files(below, "/deep/link"), ["/deep/app/main.js"]);
        assert_eq!(local_files("<basefont href=/x/><script src=main.js>", "/deep/link"), ["/deep/main.js"]);
    }

    /// In quadratic time it takes minutes.
    #[test]
    fn a_large_page_is_read_whole() {
        let many = (0..40_000).map(|number| format!(" src=\"/{number}.js\"")).collect::<Vec<_>>().concat();
        assert_eq!(local_files(&many, "/").len(), 40_000);
        for piece in ["<script</script>", "<header>", "<title", " href=\"", "<"] {
            let page = piece.repeat((2 << 20) / piece.len());
            let _ = (is_application(&page), title(&page), same_page(page.as_bytes(), b""));
        }
    }

    #[test]
    fn digests_in_names() {
        for path in [
            "/assets/index-BHIbNaK-.js",
            "/assets/index-Dxi2koAw.css",
            "/static/main.3f2a91bc.css",
            "/x/index-Dxi2koAw.js.map",
            "/_app/immutable/chunks/abcdefgh.js",
            "/_app/immutable/assets/0.css",
            "/main-QWZXKABC.js",
            "/media/icons-5QZX7YAB.woff2",
            "/_nuxt/BpSnYqOx.js",
            "/_astro/fonts/89758defcfa85239.woff",
            "/_next/static/a1/_buildManifest.js",
        ] {
            assert!(is_hashed(path), "{path}");
        }
        for path in [
            "/config.js",
            "/favicon.svg",
            "/assets/some-component.js",
            "/_nuxt/builds/latest.json",
            "/BpSnYqOx.js",
            "/meta/apple-touch-startup-image-640x1096.png",
            "/files/report-2024-10-31.pdf",
            "/js/jquery-1.12.4.min.js",
            "/assets/main-aboutPage.js",
            "/files/CHANGELOG-COPYING.txt",
        ] {
            assert!(!is_hashed(path), "{path}");
        }
    }

    #[test]
    fn applications_and_sites() {
        let app = r#"<!doctype html><html><head><title>Pivotal</title><script type="module" src="/assets/index-x.js"></script></head>
            <body><noscript>You need to enable JavaScript to run this app, which is a long text.</noscript><div id="root"></div></body></html>"#;
        assert!(is_application(app));
        let site = r#"<html><head><title>News</title><script src="/menu.js"></script></head><body><header><a href="/about">About</a></header>
            <h1>Today</h1><p>Something happened somewhere.</p></body></html>"#;
        assert!(!is_application(site) && !is_application("<h1>It works</h1>"));
    }

    #[test]
    fn a_nonce_makes_no_other_page() {
        let page = |nonce: &str| format!("<title>x</title><script nonce=\"{nonce}\" src=\"/a.js\"></script>");
        assert!(same_page(page("1").as_bytes(), page("2").as_bytes()));
        assert!(!same_page(page("1").as_bytes(), b"<title>404</title>"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(html in "\\PC{0,200}") {
            let _ = (local_files(&html, "/"), is_application(&html), title(&html));
        }
    }
}
