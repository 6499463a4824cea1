//! What installs a project's packages, with which version of Node.js, and what is wrong with its manifests.

mod support;

use plimsoll_survey::{Install, Manager};

use support::{gap, of};

fn install(files: &[(&str, &str)]) -> Install {
    of(files).installs.remove(0)
}

const SERVER: &str = r#"{ "name": "@kiosk/api", "scripts": { "start": "node dist/index.js" },
  "dependencies": { "express": "^5.1.0" } }"#;

#[test]
fn yarn_lock_not_seen() {
    let root =
        "{\n  \"name\": \"kiosk\",\n  \"packageManager\": \"yarn@4.5.3\",\n  \"workspaces\": [\"apps/*\"]\n}";
    let lock = "# This file is generated\n__metadata:\n  version: 8\n";
    let survey = of(&[("package.json", root), ("yarn.lock", lock), ("apps/api/package.json", SERVER)]);
    let install = &survey.installs[0];
    assert_eq!((install.manager, survey.installs.len()), (Manager::YarnBerry, 1));
    let version = install.version.as_ref().unwrap();
    assert_eq!((version.value.as_str(), version.evidence[0].line), ("4.5.3", 3));
    assert_eq!(install.lock_file.as_ref().unwrap().value, "yarn.lock");
    assert!(!survey.gaps.iter().any(|gap| gap.message.contains("lock file")));
}

#[test]
fn the_lock_file_says_which_yarn_wrote_it() {
    let classic = install(&[("package.json", SERVER), ("yarn.lock", "# yarn lockfile v1\n")]);
    assert_eq!(classic.manager, Manager::YarnClassic);
    let berry = install(&[
        ("package.json", SERVER),
        ("yarn.lock", "__metadata:\n"),
        (".yarnrc.yml", "nodeLinker: node-modules\nyarnPath: .yarn/releases/yarn-4.6.0.cjs\n"),
        (".yarn/releases/yarn-4.6.0.cjs", ""),
    ]);
    assert_eq!((berry.manager, berry.version.unwrap().evidence[0].line), (Manager::YarnBerry, 2));
    let inputs: Vec<&str> = berry.inputs.iter().map(|input| input.value.as_str()).collect();
    assert_eq!(inputs, [".yarnrc.yml", ".yarn/releases"]);
    let pinned = r#"{ "packageManager": "yarn@1.22.22", "dependencies": { "express": "5" } }"#;
    assert_eq!(install(&[("package.json", pinned)]).manager, Manager::YarnClassic);
}

#[test]
fn every_lock_file_is_known_and_two_are_a_question() {
    for (file, manager) in [
        ("package-lock.json", Manager::Npm),
        ("npm-shrinkwrap.json", Manager::Npm),
        ("pnpm-lock.yaml", Manager::Pnpm),
        ("bun.lock", Manager::Bun),
        ("bun.lockb", Manager::Bun),
    ] {
        let install = install(&[("package.json", SERVER), (file, "")]);
        assert_eq!((install.manager, install.lock_file.unwrap().value.as_str()), (manager, file));
    }
    let two = of(&[("package.json", SERVER), ("package-lock.json", "{}"), ("pnpm-lock.yaml", "")]);
    let question = &two.questions[0];
    assert_eq!(question.id, "root.manager");
    assert_eq!(question.options, ["pnpm", "npm"]);
    assert_eq!((question.default.as_deref(), question.evidence.len()), (Some("pnpm"), 2));
    let said =
        r#"{ "devEngines": { "packageManager": { "name": "npm" } }, "dependencies": { "express": "5" } }"#;
    let said = of(&[("package.json", said), ("package-lock.json", "{}"), ("pnpm-lock.yaml", "")]);
    assert!(!said.questions.iter().any(|question| question.id == "root.manager"));
    assert_eq!(said.installs[0].manager, Manager::Npm);
}

#[test]
fn no_lock_file_is_a_gap_and_no_refusal() {
    let survey = of(&[("package.json", SERVER)]);
    assert_eq!(survey.installs[0].manager, Manager::Npm);
    assert!(survey.installs[0].lock_file.is_none());
    assert_eq!(gap(&survey, "no lock file").evidence[0].file, "package.json");
}

#[test]
fn several_folders_have_installs_of_their_own() {
    let survey = of(&[
        ("backend/package.json", SERVER),
        ("backend/package-lock.json", "{}"),
        ("frontend/package.json", r#"{ "name": "web", "dependencies": { "react": "19" } }"#),
        ("frontend/yarn.lock", "# yarn lockfile v1\n"),
        ("backend/src/package.json", r#"{ "type": "module" }"#),
        ("examples/basic/package.json", SERVER),
    ]);
    let installs: Vec<(&str, Manager)> =
        survey.installs.iter().map(|install| (install.folder.as_str(), install.manager)).collect();
    assert_eq!(installs, [("backend", Manager::Npm), ("frontend", Manager::YarnClassic)]);
}

#[test]
fn prepare_script_breaks_the_image() {
    let root = "{ \"name\": \"kiosk\",\n  \"scripts\": { \"prepare\": \"husky\" } }";
    let script = install(&[("package.json", root)]).own_script.unwrap();
    assert_eq!((script.value.as_str(), script.evidence[0].line), ("prepare", 2));
    assert!(script.evidence[0].reason.contains("Git hooks"));
    let client =
        r#"{ "dependencies": { "@prisma/client": "6" }, "scripts": { "postinstall": "prisma generate" } }"#;
    let client = install(&[("package.json", client), ("prisma/schema.prisma", ""), (".npmrc", "")]);
    let inputs: Vec<&str> = client.inputs.iter().map(|input| input.value.as_str()).collect();
    assert_eq!(
        (client.own_script.unwrap().value.as_str(), inputs),
        ("postinstall", vec![".npmrc", "prisma"])
    );
}

#[test]
fn node_version_chosen_against_the_source() {
    let version = |engines: &str, file: Option<(&str, &str)>| {
        let text = format!("{{ \"name\": \"a\", \"engines\": {{ \"node\": \"{engines}\" }} }}");
        let mut files = vec![("package.json", text.as_str())];
        files.extend(file);
        install(&files).runtime_version.map(|version| version.value)
    };
    assert_eq!(version("^18.18 || >=22", None).as_deref(), Some("24"));
    assert_eq!(version("^18.18 || ^20.9", None).as_deref(), Some("20"));
    assert_eq!(version(">=20 <23", None).as_deref(), Some("22"));
    assert_eq!(version("20.11.0", None).as_deref(), Some("20"));
    assert_eq!(version(">=18", Some((".nvmrc", "v22.3.0\n"))).as_deref(), Some("22"));
    assert_eq!(version(">=18", Some((".nvmrc", "lts/iron"))).as_deref(), Some("20"));
    assert_eq!(version(">=18", Some((".nvmrc", "lts/*"))).as_deref(), Some("24"));
    assert_eq!(version("*", Some((".tool-versions", "python 3.12\nnodejs 20.1.0\n"))).as_deref(), Some("20"));
    // One that gets no security fixes any more: the nearest one, as a question, wherever it is asked for.
    assert_eq!(version("18", None).as_deref(), Some("20"));
    assert_eq!(version(">=99", None).as_deref(), Some("24"));
    assert_eq!(version(">=18", Some((".nvmrc", "12"))).as_deref(), Some("24"));
    let old = [r#"{ "engines": { "node": "18.x" } }"#, r#"{ "engines": { "node": "10.x" } }"#, "{}"];
    for (manifest, file) in old.into_iter().zip([None, None, Some((".nvmrc", "12\n"))]) {
        let mut files = vec![("package.json", manifest)];
        files.extend(file);
        let survey = of(&files);
        let question = survey.questions.iter().find(|question| question.id == "root.node").unwrap();
        assert_eq!((question.default.as_deref(), question.evidence[0].line), (Some("20"), 1));
        assert!(!survey.gaps.iter().any(|gap| gap.message.contains("Node.js")), "{:?}", survey.gaps);
    }
    let none = install(&[("package.json", "{}")]);
    assert_eq!((none.runtime, none.runtime_version.unwrap().value.as_str()), (None, "24"));
}

#[test]
fn broken_package_json_passes() {
    let text = "{\n  \"name\": \"till\",\n  \"dependencies\": {\n    \"express\": \"^5.1.0\",\n  },\n  \"scripts\": {\n    \
                \"start\": \"node server.js\", // the shop\n  }\n}";
    let survey = of(&[("package.json", text), ("server.js", "app.listen(3000)")]);
    let broken = gap(&survey, "not valid JSON");
    assert_eq!((broken.subject.as_str(), broken.evidence[0].line), ("package.json", 4));
    assert!(survey.services.is_empty());
    assert_eq!(gap(&of(&[("package.json", "[]")]), "is no object").evidence[0].line, 1);
    let odd = of(&[("package.json", "{ \"name\": 5,\n \"dependencies\": [],\n \"name\": \"a\" }")]);
    assert_eq!(gap(&odd, "`dependencies` is not an object").evidence[0].line, 2);
    assert_eq!(gap(&odd, "stands twice").evidence[0].line, 3);
    let nothing = of(&[("package.json", r#"{ "workspaces": ["apps/*"] }"#)]);
    assert_eq!(gap(&nothing, "no package lies in apps/*").evidence[0].file, "package.json");
}

#[test]
fn service_named_after_the_checkout() {
    let survey = of(&[("package.json", SERVER), ("server.js", "app.listen(1)")]);
    assert_eq!(survey.services[0].name, "api");
}
