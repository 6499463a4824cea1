//! Changes in place: the new text means what it should, and everything else of it is as it was.

use plimsoll_compose::edit::{Change, Segment, edit, path_text, steps};
use plimsoll_source::{
    Diagnostic, Source, apply,
    yaml::{self, Expanded, ExpandedKind},
};
use proptest::prelude::*;
use serde_json::Value;

const FILE: &str = r#"# The shop, in production.
name: shop   # as in DNS

x-env: &env   # shared
  LOG_LEVEL: info
  TZ: 'Europe/Oslo'

services:
  # What people see.
  web:
    image: "nginx:1.25"   # pinned
    ports:
      - "8080:80"   # the proxy's
      - target: 443
        published: '8443'   # TLS

      # metrics
      - 9090:9090
    environment:
      <<: *env
      EMPTY:
      GREETING: >-
        hello
        there
    command: [nginx, -g, "daemon off;"]
    labels: { com.example.team: web, tier: 'front' }
    healthcheck: {}   # to come
    networks:   # both
    - front
    - back


  api:
    build: ./api
    environment: *env
    deploy:
      resources:
        limits: {memory: 128M}
    entrypoint: |
      #!/bin/sh
      exec api

  # The last one.
  db:
    image: postgres:17
    volumes: [ "data:/var/lib/postgresql/data",
      "./init:/docker-entrypoint-initdb.d:ro" ]   # two lines
networks:
  front:
  back: {internal: true}
volumes:
  data:
# end"#;

fn edited(source: &Source, path: &[Segment], change: &Change) -> Result<String, Diagnostic> {
    Ok(apply(source, &edit(source, path, change)?)?)
}

fn changed(text: &str, path: &str, change: &Change) -> Result<String, Diagnostic> {
    edited(&Source::new("compose.yml", text), &steps(path)?, change)
}

fn set(path: &str, value: &str) -> Result<String, Diagnostic> {
    changed(FILE, path, &Change::Set(value.to_owned()))
}

/// Lines that went (`-`) and came (`+`), with what they are between.
fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let front = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - front;
    let back = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let went = old[front..old.len() - back].iter().flat_map(|line| ["-", line, "\n"]);
    let came = new[front..new.len() - back].iter().flat_map(|line| ["+", line, "\n"]);
    went.chain(came).collect()
}

#[test]
fn changes_touch_only_their_lines() {
    let mut out = String::new();
    let sets = [
        ("services.web.image", "nginx:1.27"),
        ("name", "store"),
        ("services.web.ports[0]", "80:80"),
        ("services.web.ports[1].published", "9443"),
        ("services.web.ports[1].protocol", "tcp"),
        ("services.web.ports[+]", "{target: 53, protocol: udp}"),
        ("services.web.ports", "[\"1:1\"]"),
        ("services.web.environment.EMPTY", "full"),
        ("services.web.environment.GREETING", "hi"),
        ("services.web.environment.LOG_LEVEL", "debug"),
        ("services.web.command[2]", "daemon on; # no"),
        ("services.web.command[+]", "a, b"),
        ("services.web.labels.tier", "back"),
        ("services.web.labels[\"a.b\"]", "yes"),
        ("services.web.healthcheck.test", "[CMD, 'true']"),
        ("services.web.healthcheck", "{test: [CMD, x], interval: 5s}"),
        ("services.web.networks[2]", "side"),
        ("services.web.networks", "{front: {aliases: [w]}, back: null}"),
        ("services.api.build", "{context: ./api, target: run}"),
        ("services.api.environment", "{A: 1}"),
        ("services.api.deploy.resources.limits.memory", "256M"),
        ("services.api.deploy.resources.limits.cpus", "'0.5'"),
        ("services.api.deploy.replicas", "3"),
        ("services.api.entrypoint", "[api, --serve]"),
        ("services.db.volumes", "[data:/data]"),
        ("services.cache", "{image: 'redis:8', healthcheck: {test: [CMD, redis-cli, ping]}}"),
        ("networks.front", "{driver: bridge}"),
        ("networks.front.internal", "true"),
        ("networks.back.driver", "bridge"),
        ("secrets.key.file", "./key"),
        ("services.web.image", "null"),
    ];
    for (path, value) in sets {
        let new = set(path, value).unwrap_or_else(|error| panic!("{path}: {}", error.one_line()));
        out.push_str(&format!("{path} = {value}\n{}\n", diff(FILE, &new)));
    }
    let removals = [
        "name",
        "services.web.image",
        "services.web.ports[0]",
        "services.web.ports[1]",
        "services.web.ports[1].target",
        "services.web.ports[1].published",
        "services.web.ports[2]",
        "services.web.environment.GREETING",
        "services.web.command[0]",
        "services.web.command[2]",
        "services.web.labels.tier",
        "services.web.networks",
        "services.web.networks[1]",
        "services.api.deploy.resources.limits.memory",
        "services.api.deploy",
        "services.api.entrypoint",
        "services.db",
        "services.db.volumes",
        "networks.front",
        "volumes.data",
        "volumes",
    ];
    for path in removals {
        let new = changed(FILE, path, &Change::Remove)
            .unwrap_or_else(|error| panic!("{path}: {}", error.one_line()));
        out.push_str(&format!("remove {path}\n{}\n", diff(FILE, &new)));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn what_cannot_be_changed_alone_is_refused_with_its_line() {
    let anchored = "a: &x 1\nb: *x\n";
    let refused = [
        set("services.api.environment.TZ", "UTC"),
        set("services.db.volumes[+]", "a:/b"),
        set("services.web.image.tag", "x"),
        set("services.web.ports.a", "x"),
        set("x-env.LOG_LEVEL", "debug"),
        set("services.web", "{a: b"),
        changed(FILE, "services.web.environment.TZ", &Change::Remove),
        changed(FILE, "services.nope.image", &Change::Remove),
        changed(FILE, "services.db.volumes[0]", &Change::Remove),
        changed(anchored, "a", &Change::Set("2".to_owned())),
        changed(anchored, "a", &Change::Remove),
        changed("a: 1\n", "a", &Change::Remove),
        changed("a: 1\n---\nb: 2\n", "a", &Change::Set("2".to_owned())),
    ];
    let mut words = String::new();
    for result in refused {
        let error = result.expect_err("refused");
        words.push_str(&error.one_line());
        words.push_str("\n  ");
        words.push_str(error.hint.as_deref().unwrap_or("(no hint)"));
        words.push('\n');
    }
    insta::assert_snapshot!(words);
}

#[test]
fn other_forms_of_files_keep_theirs() {
    let to = |text: &str, path: &str, value: &str| {
        changed(text, path, &Change::Set(value.to_owned())).expect("changed")
    };
    assert_eq!(to("a: 1\r\nb:\r\n    c: 2\r\n", "b.d", "3"), "a: 1\r\nb:\r\n    c: 2\r\n    d: 3\r\n");
    assert_eq!(to("", "services.web.image", "a"), "services:\n  web:\n    image: a\n");
    assert_eq!(to("# nothing yet\n", "a", "1"), "# nothing yet\na: 1\n");
    assert_eq!(
        to("a:\n    b:\n        c: 1\n", "a.d.e", "2"),
        "a:\n    b:\n        c: 1\n    d:\n        e: 2\n"
    );
    assert_eq!(to("{\"a\": {\"b\": 1}}", "a.c", "2"), "{\"a\": {\"b\": 1, c: 2}}");
    assert_eq!(to("a: 1", "b", "2"), "a: 1\nb: 2");
    assert_eq!(to("a: no\n", "a", "yes"), "a: \"yes\"\n");
    assert_eq!(to("a: '1'\n", "a", "2"), "a: '2'\n");
    assert_eq!(to("a: 1\n", "a", "'2'"), "a: \"2\"\n");
    assert_eq!(to("p: !override [a]\n", "p", "[b]"), "p: !override [b]\n");
}

/// Every path of a tree, with those of one more key and item in each collection.
fn paths(value: &Value, path: &mut Vec<Segment>, out: &mut Vec<Vec<Segment>>) {
    let mut child = |step: Segment, value: Option<&Value>| {
        path.push(step);
        out.push(path.clone());
        if let Some(value) = value {
            paths(value, path, out);
        }
        path.pop();
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                child(Segment::Key(key.clone()), Some(value));
            }
            child(Segment::Key("new".to_owned()), None);
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                child(Segment::Item(at), Some(value));
            }
            child(Segment::Append, None);
        }
        _ => {}
    }
}

/// The tree that a change must lead to.
fn model(tree: &mut Value, path: &[Segment], value: Option<&Value>) {
    let (last, way) = path.split_last().expect("a path");
    let parent = way.iter().fold(tree, |tree, step| match step {
        Segment::Key(key) => &mut tree[key],
        Segment::Item(at) => &mut tree[at],
        Segment::Append => panic!("only at the end"),
    });
    match (parent, last, value) {
        (Value::Object(map), Segment::Key(key), Some(value)) => {
            map.insert(key.clone(), value.clone());
        }
        (Value::Object(map), Segment::Key(key), None) => {
            map.remove(key);
        }
        (Value::Array(items), Segment::Item(at), Some(value)) => items[*at] = value.clone(),
        (Value::Array(items), Segment::Item(at), None) => {
            items.remove(*at);
        }
        (Value::Array(items), Segment::Append, Some(value)) => items.push(value.clone()),
        (parent, step, _) => panic!("{step:?} of {parent}"),
    }
}

/// What a text means. No uniqueness, no merging: that is the loader's.
fn read(text: &str) -> Result<Value, Diagnostic> {
    let limits = yaml::Limits::default();
    let documents = yaml::parse(&Source::new("compose.yml", text), &limits)?;
    documents.first().map_or(Ok(Value::Null), |document| Ok(json(&document.expand(&limits)?)))
}

fn tree(text: &str) -> Value {
    read(text).unwrap_or_else(|error| panic!("{}\n{text}", error.one_line()))
}

fn json(node: &Expanded) -> Value {
    match &node.kind {
        ExpandedKind::Scalar(scalar) => match scalar.resolve(node.tag.as_ref()) {
            yaml::Value::Null => Value::Null,
            yaml::Value::Bool(value) => value.into(),
            yaml::Value::Int(value) => value.into(),
            yaml::Value::Float(value) => value.into(),
            yaml::Value::String(text) => text.into(),
        },
        ExpandedKind::Sequence(items) => items.iter().map(json).collect(),
        ExpandedKind::Mapping(entries) => {
            Value::Object(entries.iter().map(|(key, _, value)| (key.text.clone(), json(value))).collect())
        }
    }
}

/// Makes a change and holds the result against the model. False if the change was refused.
fn holds(text: &str, path: &[Segment], value: Option<&str>) -> bool {
    let change = value.map_or(Change::Remove, |value| Change::Set(value.to_owned()));
    let Ok(new) = edited(&Source::new("compose.yml", text), path, &change) else { return false };
    let place = path_text(path);
    let mut expected = tree(text);
    let given = value.map(|value| tree(&format!("v: {value}"))["v"].clone());
    model(&mut expected, path, given.as_ref());
    assert_eq!(tree(&new), expected, "{place} = {value:?}\n{new}");
    let comments = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.split_once("# ")).map(|(_, words)| words.to_owned()).collect()
    };
    // Only comments inside of what goes may go; all others stay, in their order.
    let (old, kept) = (comments(text), comments(&new));
    let mut left = old.iter();
    assert!(kept.iter().all(|comment| left.any(|old| old == comment)), "{place}: {kept:?}");
    if path.last() == Some(&Segment::Append) || path.last() == Some(&Segment::Key("new".to_owned())) {
        assert_eq!(kept, old, "{place}");
    }
    true
}

#[test]
fn every_value_of_a_file_can_be_set_or_the_reason_is_known() {
    let mut all = Vec::new();
    paths(&tree(FILE), &mut Vec::new(), &mut all);
    let mut done = 0;
    let mut refused = Vec::new();
    for path in &all {
        for value in [Some("plain"), Some("[a, {b: c}]"), Some("{k: v, l: [1, 2]}"), Some("[]"), None] {
            let there = !matches!(path.last(), Some(Segment::Append))
                && path.last() != Some(&Segment::Key("new".to_owned()));
            if value.is_none() && !there {
                continue;
            }
            if holds(FILE, path, value) {
                done += 1;
            } else {
                refused.push(path_text(path));
            }
        }
    }
    refused.dedup();
    println!("{done} changes, refused: {refused:?}");
    let known = ["x-env", "services.web.environment", "services.api.environment", "services.db.volumes"];
    let unknown: Vec<_> =
        refused.iter().filter(|path| !known.iter().any(|known| path.starts_with(known))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(done > 250, "{done}");
}

/// Small files in many styles.
fn file() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "a",
        "'b c'",
        "\"d\"",
        "1",
        "true",
        "",
        "~",
        "x:y",
        "\"#\"",
        "'it''s'",
        "|\n  t\n  u",
        ">-\n  v",
    ]);
    let key = prop::sample::select(vec!["a", "b", "c", "\"d\"", "e.f"]);
    let comment = prop::sample::select(vec!["", "", "  # note", "   # two # three"]);
    let leaf = (scalar, comment).prop_map(|(scalar, comment)| match scalar.split_once('\n') {
        Some((head, body)) => vec![format!("{head}{comment}"), body.to_owned()],
        None => vec![format!("{scalar}{comment}")],
    });
    let indent = |lines: Vec<String>| -> Vec<String> {
        lines.iter().flat_map(|line| line.split('\n')).map(|line| format!("  {line}")).collect()
    };
    let node = leaf.prop_recursive(4, 32, 4, move |inner| {
        let entries = prop::collection::btree_map(key.clone(), inner.clone(), 1..4);
        let items = prop::collection::vec(inner, 1..3);
        prop_oneof![
            (entries, any::<bool>()).prop_map(move |(entries, gap)| {
                let mut lines = vec![String::new()];
                for (key, value) in entries {
                    lines.push(format!("{key}: {}", value[0]).trim_end().to_owned());
                    let block = value[0].is_empty() || value[0].starts_with(['|', '>']);
                    lines.extend(
                        value[1..]
                            .iter()
                            .flat_map(|line| line.split('\n'))
                            .map(|line| if block { format!("  {line}") } else { line.to_owned() }),
                    );
                    if gap {
                        lines.push("# between".to_owned());
                    }
                }
                lines
            }),
            items.prop_map(move |items| {
                let mut lines = vec![String::new()];
                for item in items {
                    lines.push(format!("- {}", item[0]).trim_end().to_owned());
                    lines.extend(indent(item[1..].to_vec()));
                }
                lines
            }),
        ]
    });
    node.prop_map(|lines| {
        format!("top:{}{}\nlast: 1\n", if lines[0].is_empty() { "" } else { " " }, {
            let rest: Vec<String> = lines[1..]
                .iter()
                .flat_map(|line| line.split('\n'))
                .map(|line| format!("\n  {line}"))
                .collect();
            format!("{}{}", lines[0], rest.concat())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_change_leads_to_the_changed_model(text in file(), pick in any::<prop::sample::Index>(), value in prop::sample::select(vec![None, Some("n"), Some("[m]"), Some("{o: p}"), Some("\"q r\"")])) {
        if let Ok(before) = read(&text) {
            let mut all = Vec::new();
            paths(&before, &mut Vec::new(), &mut all);
            let path = pick.get(&all);
            let new = matches!(path.last(), Some(Segment::Append)) || path.last() == Some(&Segment::Key("new".to_owned()));
            if !(new && value.is_none()) {
                holds(&text, path, value);
            }
        }
    }

    #[test]
    fn any_text_and_path_are_answered(text in "[-ab:{}\\[\\]&*!|>'\"# \n,]{0,60}", path in "[ab.\\[\\]0+\"]{1,8}", value in "[ab\\[\\]{}:, ]{0,6}") {
        if let Ok(path) = steps(&path) {
            let source = Source::new("a", text);
            let _ = edit(&source, &path, &Change::Set(value));
            let _ = edit(&source, &path, &Change::Remove);
        }
    }
}
