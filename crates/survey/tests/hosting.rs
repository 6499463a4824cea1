//! What a host of sites was told and the front does not do.

use plimsoll_survey::{Repository, survey};

/// Beginnings of what is said of a site with one file beside its page, with the line.
fn said(name: &str, text: &str) -> Vec<(String, usize)> {
    let survey = survey(&Repository::from_files("repo", [("index.html", "<html><h1>a</h1>"), (name, text)]));
    let mut said: Vec<(String, usize)> = survey
        .gaps
        .iter()
        .filter(|gap| gap.evidence.iter().any(|evidence| evidence.file == name))
        .map(|gap| (gap.message.split(':').next().unwrap_or_default().to_owned(), gap.evidence[0].line))
        .collect();
    said.sort();
    said
}

#[test]
fn a_password_that_a_host_asks_for_is_never_lost_in_silence() {
    for (name, text) in [
        ("Staticfile.auth", "user:$apr1$x\n"),
        (".htpasswd", "user:$apr1$x\n"),
        (".htaccess", "AuthType Basic\nRequire valid-user\n"),
        ("_headers", "/*\n  Basic-Auth: user:secret\n"),
        ("static.json", "{\"root\": \".\", \"basic_auth\": true}"),
    ] {
        let said = said(name, text);
        assert!(said.iter().any(|(message, _)| message.contains("behind a password")), "{name}: {said:?}");
    }
}

#[test]
fn redirects_and_headers_of_hosts_are_said_with_their_line() {
    let redirects = |whose: &str, line| (format!("{whose} file has redirects and rewrites"), line);
    let headers = |whose: &str, line| (format!("{whose} file sets headers"), line);
    assert_eq!(said("_redirects", "# old\n/a /b 301\n"), [redirects("Netlify's and Cloudflare's", 2)]);
    assert_eq!(said("_headers", "/*\n  X-A: b\n"), [headers("Netlify's and Cloudflare's", 2)]);
    assert_eq!(
        said("netlify.toml", "[[redirects]]\nfrom = \"/a\"\nto = \"/b\"\n[[headers]]\nfor = \"/*\"\n"),
        [redirects("Netlify's", 1), headers("Netlify's", 4)]
    );
    assert_eq!(
        said(
            "vercel.json",
            "{\n\"redirects\": [{\"source\": \"/a\", \"destination\": \"/b\"}],\n\"headers\": []}"
        ),
        [redirects("Vercel's", 2)]
    );
    assert_eq!(
        said("firebase.json", "{\"hosting\": {\"headers\": [{\"source\": \"**\"}]}}"),
        [headers("Firebase's", 1)]
    );
}

#[test]
fn what_the_front_does_by_itself_is_not_said() {
    for (name, text) in [
        ("_redirects", "/* /index.html 200\n"),
        (
            "netlify.toml",
            "[build]\npublish = \".\"\n[[redirects]]\nfrom = \"/*\"\nto = \"/index.html\"\nstatus = 200\n",
        ),
        ("vercel.json", "{\"rewrites\": [{\"source\": \"/(.*)\", \"destination\": \"/index.html\"}]}"),
        ("static.json", "{\"root\": \".\", \"routes\": {\"/**\": \"index.html\"}}"),
        ("vercel.json", "not json"),
        (".htaccess", "RewriteEngine On\nRewriteRule ^ index.html [L]\n"),
    ] {
        assert_eq!(said(name, text), [], "{name}: {text}");
    }
}
