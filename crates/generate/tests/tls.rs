//! Fronts that end TLS themselves: `--answer tls=files`.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_compose::{LoadOptions, NoFiles, Project};
use plimsoll_generate::{Planned, Policy, generate, make_secrets, missing_secrets, plan};
use plimsoll_source::Source;
use plimsoll_survey::{AnswerError, Repository, answer, ask_about_stack, survey};

/// Two servers with pages: each has a front of its own.
const TWO_FRONTS: [(&str, &str); 5] = [
    (
        "result/package.json",
        r#"{ "name": "result", "scripts": { "start": "node server.js" }, "dependencies": { "express": "5" } }"#,
    ),
    ("result/package-lock.json", "{}"),
    (
        "result/server.js",
        "const app = require('express')();\napp.get('/', (q, r) => r.sendFile(require('path').resolve(__dirname, 'views/index.html')));\napp.listen(4000);\n",
    ),
    ("vote/requirements.txt", "Flask==3.0.3\ngunicorn==23.0.0\n"),
    (
        "vote/app.py",
        "from flask import Flask, render_template\napp = Flask(__name__)\n@app.route('/', methods=['POST', 'GET'])\ndef hello():\n    return render_template('index.html')\n",
    ),
];

/// A site that Vite builds.
const SITE: [(&str, &str); 3] = [
    (
        "package.json",
        r#"{ "name": "site", "devDependencies": { "vite": "8" }, "scripts": { "build": "vite build" } }"#,
    ),
    ("package-lock.json", "{}"),
    ("index.html", "<html>"),
];

fn planned(files: &[(&str, &str)], tls: &str) -> Planned {
    let survey = survey(&Repository::from_files("desk", files.iter().copied()));
    let answers = [("tls".to_owned(), tls.to_owned())].into();
    plan(&survey, &Policy { answers, ..Policy::default() }, &|_| false).unwrap()
}

fn file(planned: &Planned, path: &str) -> String {
    generate(&planned.stack).unwrap().into_iter().find(|file| file.path == path).unwrap().text
}

fn project(planned: &Planned) -> Project {
    let source = Source::new("/project/compose.production.yml", file(planned, "compose.production.yml"));
    plimsoll_compose::load(&LoadOptions::new(vec![source], "/project"), &NoFiles).unwrap()
}

#[test]
fn every_front_has_a_port_with_tls_and_one_that_leads_to_it() {
    let two = planned(&TWO_FRONTS, "files");
    let project = project(&two);
    for (name, https, http) in [("proxy", "8443", "8080"), ("vote-proxy", "8444", "8081")] {
        let service = &project.services[name];
        let ports: Vec<(i64, Option<&str>)> =
            service.ports.iter().map(|port| (port.target, port.published.as_deref())).collect();
        assert_eq!(ports, [(8443, Some(https)), (8080, Some(http))], "{name}");
        let secrets: Vec<_> = service.secrets.iter().filter_map(|secret| secret.source.as_deref()).collect();
        assert_eq!(secrets, ["tls_certificate", "tls_key"], "{name}");
        let nginx = file(&two, &format!("{name}/nginx.conf"));
        for text in [
            "listen 8443 ssl",
            "ssl_protocols TLSv1.2 TLSv1.3;",
            "X-Forwarded-Proto https;",
            "max-age=31536000",
        ] {
            assert!(nginx.contains(text), "{text}\n{nginx}");
        }
        assert!(!nginx.contains("$http_x_forwarded_proto"), "{nginx}");
        assert!(file(&two, &format!("{name}/Dockerfile")).contains("EXPOSE 8080 8443\n"));
        assert!(file(&two, &format!("{name}/https_port.conf.template")).contains("\"${NGINX_HTTPS_PORT}\""));
    }
    let compose = file(&two, "compose.production.yml");
    for text in [
        "NGINX_HTTPS_PORT: ${HTTPS_PORT:-8443}",
        "NGINX_HTTPS_PORT: ${VOTE_PROXY_HTTPS_PORT:-8444}",
        "#   chown 101 secrets/tls_certificate secrets/tls_key",
        "openssl req -x509",
    ] {
        assert!(compose.contains(text), "{text}\n{compose}");
    }
    // What is asked inside of the second one is asked where it answers.
    assert!(file(&two, "smoke.toml").contains("at = \"vote-proxy:8443\""));
    assert!(file(&two, "plimsoll.toml").contains("\"tls\" = \"files\""));
}

#[test]
fn the_certificate_is_the_teams() {
    let site = planned(&SITE, "files");
    assert_eq!(site.stack.secret_paths().collect::<Vec<_>>(), ["secrets/tls_certificate", "secrets/tls_key"]);
    assert!(missing_secrets(&site.stack, &|_| false).is_empty());
    assert!(make_secrets(&site.stack, &|_| None, &mut |_| Ok(())).unwrap().is_empty());
    assert!(site.notes.iter().any(|note| note.message.contains("secrets/tls_key")), "{:?}", site.notes);
    assert!(file(&site, ".gitignore").contains("/secrets/"), "a key belongs to no repository");
}

#[test]
fn a_proxy_before_the_stack_is_the_default() {
    let answered = generate(&planned(&SITE, "proxy").stack).unwrap();
    let survey = survey(&Repository::from_files("desk", SITE));
    let silent = generate(&plan(&survey, &Policy::default(), &|_| false).unwrap().stack).unwrap();
    for (answered, silent) in answered.iter().zip(&silent).filter(|(file, _)| file.path != "plimsoll.toml") {
        assert_eq!(answered, silent);
        assert!(!silent.text.contains("8443"), "{}", silent.path);
    }
}

#[test]
fn who_ends_tls_is_asked_where_something_is_published() {
    let mut survey = survey(&Repository::from_files("desk", SITE));
    ask_about_stack(&mut survey);
    let asked = survey.questions.iter().find(|question| question.id == "tls").unwrap();
    assert_eq!(
        (asked.default.as_deref(), asked.options.join(" ")),
        (Some("proxy"), "proxy files".to_owned())
    );
    let wrong = answer(&mut survey, &[("tls".to_owned(), "yes".to_owned())].into());
    assert!(matches!(wrong, Err(AnswerError::Value { .. })), "{wrong:?}");
    answer(&mut survey, &[("tls".to_owned(), "files".to_owned())].into()).unwrap();
    assert!(survey.questions.iter().all(|question| question.id != "tls"));

    let mut nothing = plimsoll_survey::survey(&Repository::from_files("desk", [("README.md", "x")]));
    ask_about_stack(&mut nothing);
    assert!(nothing.questions.is_empty());
}
