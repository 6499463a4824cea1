//! The command line of `docker buildx build` and `docker build`: what they take is taken, what cannot be done is
//! refused with its cause. Outputs, annotations, platforms and attestations are those that buildx 0.13.1 wrote with
//! engine 26.1 for the same Dockerfile.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]
#![allow(dead_code, reason = "the kitchen serves several test programs")]

#[path = "support/builder.rs"]
mod support;

use std::{fs, path::Path};

use serde_json::{Value, json};
use support::{Kitchen, log};

const DOCKERFILE: &str = "FROM --platform=$BUILDPLATFORM scratch AS build\nARG TARGETARCH\nCOPY $TARGETARCH /out\n\
    FROM scratch\nARG TARGETARCH SECRET_TOKEN=none\nENV ARCH=$TARGETARCH\nCOPY --from=build /out /b\nCOPY a /c\nLABEL x=$TARGETARCH\n";

fn kitchen() -> Option<Kitchen> {
    let kitchen = Kitchen::new()?;
    kitchen.write("c/Dockerfile", DOCKERFILE);
    kitchen.write("c/a", "hello\n");
    for arch in ["amd64", "arm64"] {
        kitchen.write(&format!("c/{arch}"), &format!("for {arch}\n"));
    }
    Some(kitchen)
}

#[test]
fn what_buildx_takes_is_taken() {
    let Some(kitchen) = kitchen() else { return };
    let accepted: &[&[&str]] = &[
        &["-q"],
        &["--quiet=false"],
        &["--add-host", "a:1.2.3.4"],
        &["--add-host", "a=1.2.3.4"],
        &["--add-host", "a:host-gateway"],
        &["--add-host", "a:[::1]"],
        &["--add-host", "a:1.2.3.4,b:5.6.7.8"],
        &["--allow", "security.insecure,network.host"],
        &["--annotation", "manifest:a=b"],
        &["--attest", "type=sbom,disabled=true"],
        &["--build-arg", "FOO", "--build-arg", "A=b=c", "--build-arg", "OPTS=-x -y"],
        &["--build-context", "other=."],
        &["--cgroup-parent", "x"],
        &["--compress"],
        &["--cpu-period", "1000", "--cpu-quota=-1", "-c", "12", "--cpuset-cpus", "0", "--cpuset-mems", "0"],
        &["--disable-content-trust=true"],
        &["--file", "Dockerfile", "-f", "./Dockerfile"],
        &["--force-rm", "--rm=false"],
        &["--isolation", "default"],
        &["--label", "a", "--label", "b=c=d"],
        &["--load=false", "--push=false", "--pull=false", "--no-cache=false"],
        &["-m", "1g", "--memory-swap", "-1"],
        &["--network", "host"],
        &["--network=none"],
        &["--no-cache"],
        &["--no-cache-filter", "build,other"],
        &["--output", "type=cacheonly"],
        &["--platform", "local"],
        &["--platform", "linux/amd64"],
        &["--platform", "linux/arm64/v8"],
        &["--platform", "arm64,linux/x86_64"],
        &["--progress", "rawjson"],
        &["--progress=none"],
        &["--provenance=false", "--sbom=false"],
        &["--provenance", "mode=min"],
        &["--secret", "id=a,env=HOME", "--secret", "id=b,src=a", "--secret", "type=env,id=c,src=HOME"],
        &["--security-opt", "x"],
        &["--shm-size", "64 MiB"],
        &["--shm-size=0.5g"],
        &["-t", "a/b:c", "--tag=127.0.0.1:5000/d"],
        &["--target", "BUILD"],
        &["--ulimit", "nofile=1024", "--ulimit", "nproc=-1"],
        &["--ulimit", "nofile=1024:2048"],
    ];
    for arguments in accepted {
        let output = kitchen.command("home", "c", arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", log(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.starts_with("sha256:") && printed.trim().len() == 71, "{arguments:?}: {printed:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_cause() {
    let Some(kitchen) = kitchen() else { return };
    let refused: &[(&[&str], &str)] = &[
        (&["--add-host", "bad"], "no line for /etc/hosts"),
        (&["--add-host", "a:nope"], "no line for /etc/hosts"),
        (&["--allow", "foo"], "no privilege `foo`"),
        (&["--annotation", "index:a=b"], "has no index"),
        (&["--annotation", "layer:a=b"], "there is no `layer`"),
        (&["--attest", "foo"], "`foo` has no value"),
        (&["--attest", "type=provenance", "--provenance=false"], "asked for twice"),
        (&["--build-arg", "=x"], "the name is empty"),
        (&["--build-context", "a"], "no named context"),
        (&["--build-context", "a=nope"], "cannot read nope"),
        (&["--label", "=a"], "the name is empty"),
        (&["--network", "foo"], "invalid value 'foo'"),
        (&["-o", "type=foo"], "the type foo is not known"),
        (&["-o", "type=local"], "a folder needs dest="),
        (&["-o", "type=oci,dest=/nonexistent/a.tar"], "its folder is not there"),
        (&["-o", "-", "-o", "type=oci"], "two outputs want standard output"),
        (&["--platform", "foo/bar/baz/x"], "cannot parse platform specifier"),
        (&["--platform", "linux/amd64,linux/arm64", "-o", "type=docker,dest=x.tar"], "one platform"),
        (&["--platform", "linux/amd64,linux/arm64", "--load"], "one platform"),
        (&["--progress", "foo"], "invalid value 'foo'"),
        (&["--provenance=foo"], "`foo` has no value"),
        (&["--push"], "no name to be pushed to"),
        (&["--pull=maybe"], "neither true nor false"),
        (&["--secret", "a=b"], "a field is not known"),
        (&["--secret", "id=a,src=/nope"], "No such file"),
        (&["--shm-size", "foo"], "is no size"),
        (&["--squash"], "--squash is not supported"),
        (&["--ssh", "id=/nope"], "cannot read /nope"),
        (&["-t", "A/B"], "must be lower case"),
        (&["--target", "nope"], "nope"),
        (&["--ulimit", "nofile=2048:1024"], "above the hard one"),
        (&["--ulimit", "foo=1"], "`foo=1` is no limit"),
        (&["--foo"], "--foo"),
        (&["-f", "nope"], "nope"),
    ];
    for (arguments, cause) in refused {
        let output = kitchen.command("home", "c", arguments).output().unwrap();
        let said = log(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(cause), "{arguments:?}: {said}");
        // clap's own words have a usage, ours a hint
        let next = ["hint:", "help:", "--help", "cannot read nope"];
        assert!(next.iter().any(|word| said.contains(word)), "{arguments:?}: {said}");
    }
}

fn blob(layout: &Path, digest: &Value) -> Value {
    let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(hex)).unwrap()).unwrap()
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

const BOTH: [&str; 2] = ["--platform", "linux/amd64,linux/arm64"];

#[test]
fn several_platforms_are_one_index() {
    let Some(kitchen) = kitchen() else { return };
    let (layout, metadata, iid) = (kitchen.path("oci"), kitchen.path("m.json"), kitchen.path("iid"));
    let oci = format!("type=oci,tar=false,dest={}", layout.display());
    let files = [
        "--metadata-file",
        metadata.to_str().unwrap(),
        "--iidfile",
        iid.to_str().unwrap(),
        "-t",
        "example/app:1",
        "--annotation",
        "index:b=2",
        "--annotation",
        "manifest[linux/arm64]:e=5",
        "--annotation",
        "index-descriptor:d=4",
        "-o",
        &oci,
    ];
    let built = kitchen.build("home", "c", &[&BOTH[..], &files].concat());
    assert!(built.log.contains("[linux/arm64 stage-1"), "{}", built.log);
    let entry = json_file(&layout.join("index.json"))["manifests"][0].clone();
    assert_eq!(entry["annotations"]["io.containerd.image.name"], "docker.io/example/app:1");
    assert_eq!(entry["annotations"]["d"], "4");
    let index = blob(&layout, &entry["digest"]);
    assert_eq!(index["annotations"], json!({ "b": "2" }));
    for (number, arch) in ["amd64", "arm64"].into_iter().enumerate() {
        let image = &index["manifests"][number];
        assert_eq!(image["platform"], json!({ "os": "linux", "architecture": arch }));
        let manifest = blob(&layout, &image["digest"]);
        assert_eq!(manifest["annotations"]["e"].as_str(), (arch == "arm64").then_some("5"));
        let config = blob(&layout, &manifest["config"]["digest"]);
        assert_eq!((&config["architecture"], &config["config"]["Labels"]["x"]), (&json!(arch), &json!(arch)));
        assert!(config["config"]["Env"].as_array().unwrap().contains(&json!(format!("ARCH={arch}"))));
    }
    let metadata = json_file(&metadata);
    assert_eq!(metadata["containerimage.digest"], entry["digest"]);
    assert_eq!(metadata["containerimage.descriptor"]["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(metadata["image.name"], "docker.io/example/app:1");
    assert_eq!(metadata.get("containerimage.config.digest"), None);
    assert_eq!(metadata["buildx.build.ref"].as_str().unwrap().rsplit('/').next().unwrap().len(), 25);
    assert_eq!(
        (fs::read_to_string(&iid).unwrap(), built.id.clone()),
        (built.id, entry["digest"].as_str().unwrap().to_owned())
    );

    // each in a folder of its own; what is there already stays, or is replaced
    kitchen.write("out/kept", "kept");
    kitchen.write("out/linux_arm64/b", "old");
    let out = kitchen.path("out");
    kitchen.build("home", "c", &[&BOTH[..], &["-o", out.to_str().unwrap()]].concat());
    for arch in ["amd64", "arm64"] {
        assert_eq!(fs::read_to_string(out.join(format!("linux_{arch}/b"))).unwrap(), format!("for {arch}\n"));
    }
    assert_eq!(fs::read_to_string(out.join("kept")).unwrap(), "kept");
    let listed = fs::read_dir(&out).unwrap().count();
    assert_eq!(listed, 3, "nothing else is left in the folder");
    let output = kitchen.command("home", "c", &[&BOTH[..], &["-o", "-"]].concat()).output().unwrap();
    let mut archive = tar::Archive::new(output.stdout.as_slice());
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(
        names,
        ["linux_amd64/", "linux_amd64/b", "linux_amd64/c", "linux_arm64/", "linux_arm64/b", "linux_arm64/c"]
    );

    // the layout and the name in the store serve each platform with its own image
    for (from, context) in
        [("app", format!("app=oci-layout://{}", layout.display())), ("example/app:1", "x=.".to_owned())]
    {
        kitchen.write("d/Dockerfile", &format!("FROM {from}\nARG TARGETARCH\nCOPY --from=host /b /host\n"));
        let host = "host=docker-image://example/app:1";
        for arch in ["amd64", "arm64"] {
            let out = kitchen.path(&format!("d-{arch}"));
            let platform = format!("linux/{arch}");
            let args = [
                "--build-context",
                &context,
                "--build-context",
                host,
                "--platform",
                &platform,
                "-o",
                out.to_str().unwrap(),
            ];
            kitchen.build("home", "d", &args);
            assert_eq!(fs::read_to_string(out.join("b")).unwrap(), format!("for {arch}\n"), "{from}");
            assert_eq!(fs::read_to_string(out.join("host")).unwrap(), format!("for {arch}\n"), "{from}");
            fs::remove_dir_all(out).unwrap();
        }
    }
}

#[test]
fn a_run_for_another_processor_says_what_to_do() {
    let Some(kitchen) = Kitchen::new() else { return };
    kitchen.write("c/Dockerfile", "FROM scratch AS one\nCOPY Dockerfile /\nRUN [\"/x\"]\n");
    let output = kitchen.command("home", "c", &["--platform", "linux/s390x"]).output().unwrap();
    let said = log(&output);
    if fs::read_dir("/proc/sys/fs/binfmt_misc").is_ok_and(|entries| entries.count() > 2) {
        eprintln!("skipped: this machine has emulators");
        return;
    }
    assert_eq!(output.status.code(), Some(2));
    for word in ["linux/s390x", "Dockerfile:3", "--platform=$BUILDPLATFORM", "qemu-user-static"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

/// The statements of an image in a layout, by predicate type.
fn statements(layout: &Path) -> Vec<(String, Value)> {
    let entry = json_file(&layout.join("index.json"))["manifests"][0].clone();
    let index = blob(layout, &entry["digest"]);
    let attestation = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["annotations"]["vnd.docker.reference.type"] == "attestation-manifest")
        .unwrap();
    assert_eq!(attestation["annotations"]["vnd.docker.reference.digest"], index["manifests"][0]["digest"]);
    let manifest = blob(layout, &attestation["digest"]);
    let layers = manifest["layers"].as_array().unwrap();
    layers
        .iter()
        .map(|layer| {
            let kind = layer["annotations"]["in-toto.io/predicate-type"].as_str().unwrap();
            (kind.to_owned(), blob(layout, &layer["digest"]))
        })
        .collect()
}

#[test]
fn an_image_tells_how_it_was_built_and_what_is_in_it() {
    let Some(kitchen) = kitchen() else { return };
    let secret = kitchen.write("secret", "the-secret-value");
    let secret = format!("id=s,src={}", secret.display());
    let mut digests = Vec::new();
    for home in ["home", "other"] {
        let layout = kitchen.path(&format!("oci-{home}"));
        let oci = format!("type=oci,tar=false,dest={}", layout.display());
        let arguments = [
            "--provenance=mode=max",
            "--sbom",
            "true",
            "--build-arg",
            "SECRET_TOKEN=hush-hush",
            "--build-arg",
            "PLAIN=seen",
            "--label",
            "l=1",
            "--secret",
            &secret,
            "-t",
            "example/app:1",
            "-o",
            &oci,
        ];
        kitchen.build(home, "c", &arguments);
        digests.push(json_file(&layout.join("index.json"))["manifests"][0]["digest"].clone());
    }
    assert_eq!(digests[0], digests[1], "what is told is as reproducible as the image");
    let layout = kitchen.path("oci-home");
    let told = statements(&layout);
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["https://spdx.dev/Document", "https://slsa.dev/provenance/v1"]);
    for (kind, statement) in &told {
        assert_eq!(
            (statement["_type"].as_str(), &statement["predicateType"]),
            (Some("https://in-toto.io/Statement/v1"), &json!(kind))
        );
        assert_eq!(statement["subject"][0]["name"], "pkg:docker/example/app@1?platform=linux%2Famd64");
        let text = statement.to_string();
        assert!(!text.contains("hush-hush") && !text.contains("the-secret-value"), "{text}");
    }
    assert_eq!(told[0].1["predicate"]["spdxVersion"], "SPDX-2.3");
    let provenance = &told[1].1["predicate"];
    let definition = &provenance["buildDefinition"];
    assert_eq!(definition["externalParameters"]["configSource"], json!({ "path": "Dockerfile" }));
    let arguments = &definition["externalParameters"]["request"]["args"];
    assert_eq!(
        (&arguments["build-arg:PLAIN"], &arguments["build-arg:SECRET_TOKEN"], &arguments["label:l"]),
        (&json!("seen"), &json!("xxxxx"), &json!("1"))
    );
    let steps = definition["internalParameters"]["buildConfig"]["llbDefinition"].as_array().unwrap();
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert_eq!(steps[1]["op"]["Op"]["file"]["actions"][0]["Action"]["copy"]["dest"], "/b");
    let metadata = &provenance["runDetails"]["metadata"];
    assert_eq!(metadata["startedOn"], "2023-11-14T22:13:20Z", "SOURCE_DATE_EPOCH");
    assert_eq!(metadata["buildkit_completeness"], json!({ "request": true, "resolvedDependencies": false }));
    assert!(metadata["buildkit_metadata"]["source"]["infos"][0]["data"].is_string());

    // the short form names neither arguments nor steps; a folder gets files
    let out = kitchen.path("out");
    let built = kitchen.build("home", "c", &["--provenance", "--sbom", "-o", out.to_str().unwrap()]);
    let provenance = json_file(&out.join("provenance.json"));
    assert_eq!(provenance["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(provenance["predicate"]["buildDefinition"]["internalParameters"].get("buildConfig"), None);
    let older = kitchen.path("older");
    kitchen.build("home", "c", &["--provenance=mode=max,version=v0.2", "-o", older.to_str().unwrap()]);
    let older = json_file(&older.join("provenance.json"));
    assert_eq!(older["predicateType"], "https://slsa.dev/provenance/v0.2");
    assert_eq!(older["predicate"]["buildType"], "https://mobyproject.org/buildkit@v1");
    assert!(older["predicate"]["buildConfig"]["llbDefinition"].is_array());
    assert_eq!(provenance["subject"][0]["name"], "b");
    assert_eq!(json_file(&out.join("sbom.spdx.json"))["predicate"]["spdxVersion"], "SPDX-2.3");
    assert!(built.id.starts_with("sha256:"));

    // unasked, nothing is told: one image, one digest
    let plain = kitchen.path("plain");
    kitchen.build("home", "c", &["-o", &format!("type=oci,tar=false,dest={}", plain.display())]);
    let entry = &json_file(&plain.join("index.json"))["manifests"][0];
    assert_eq!(entry["mediaType"], "application/vnd.oci.image.manifest.v1+json");
}

#[test]
fn one_build_has_several_outputs() {
    let Some(kitchen) = kitchen() else { return };
    let (docker, oci, out) = (kitchen.path("d.tar"), kitchen.path("o.tar"), kitchen.path("out"));
    let metadata = kitchen.path("m.json");
    let arguments = [
        "-t",
        "example/app:1",
        "-t",
        "other/app",
        "--metadata-file",
        metadata.to_str().unwrap(),
        "-o",
        &format!("type=docker,dest={}", docker.display()),
        "-o",
        out.to_str().unwrap(),
        "-o",
        &format!(
            "type=oci,dest={},compression=zstd,force-compression=true,oci-mediatypes=false",
            oci.display()
        ),
    ];
    let built = kitchen.build("home", "c", &arguments);
    assert_eq!(fs::read_to_string(out.join("c")).unwrap(), "hello\n");
    let member = |tar: &Path, name: &str| {
        let mut archive = tar::Archive::new(fs::File::open(tar).unwrap());
        let entry = archive
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .find(|entry| entry.path().unwrap() == Path::new(name));
        serde_json::from_reader::<_, Value>(entry.unwrap()).unwrap()
    };
    let images = member(&docker, "manifest.json");
    assert_eq!(images[0]["RepoTags"], json!(["example/app:1", "other/app:latest"]));
    let entry = member(&oci, "index.json")["manifests"][0].clone();
    assert_eq!(entry["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
    let hex = entry["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let manifest = member(&oci, &format!("blobs/sha256/{hex}"));
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.zstd");
    let metadata = json_file(&metadata);
    assert_eq!(metadata["containerimage.config.digest"], built.id);
    assert_eq!(metadata["containerimage.digest"], entry["digest"]);
    assert_eq!(metadata["containerimage.descriptor"]["platform"]["os"], "linux");
    assert_eq!(metadata["image.name"], "docker.io/example/app:1,docker.io/other/app:latest");
}

/// `plimsoll image serve`, ended with the value.
struct Served {
    child: std::process::Child,
    address: String,
}

impl Served {
    fn start(kitchen: &Kitchen) -> Self {
        let mut child = plimsoll(kitchen, "registry-home", &["image", "serve", "--port", "0"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plimsoll(kitchen: &Kitchen, home: &str, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(support::binary());
    command.args(args).env("PLIMSOLL_HOME", kitchen.path(home)).current_dir(kitchen.path("c"));
    command
}

#[test]
fn platforms_travel_through_a_registry() {
    let Some(kitchen) = kitchen() else { return };
    let served = Served::start(&kitchen);
    let name = format!("{}/team/app:1", served.address);
    let metadata = kitchen.path("m.json");
    let cache = format!("type=registry,ref={}/team/cache", served.address);
    let cache_to = format!("{cache},mode=max");
    let arguments = [
        "-t",
        &name,
        "--push",
        "--cache-to",
        &cache_to,
        "--sbom=true",
        "--metadata-file",
        metadata.to_str().unwrap(),
    ];
    let built = kitchen.build("home", "c", &[&BOTH[..], &arguments].concat());
    let digest = json_file(&metadata)["containerimage.digest"].as_str().unwrap().to_owned();
    assert!(built.log.contains(&format!("pushed {}/team/app@{digest}", served.address)), "{}", built.log);

    // another machine: each platform by its name, as a base too, and the steps from the cache
    let ok = |home: &str, args: &[&str]| {
        let output = plimsoll(&kitchen, home, args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", log(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for arch in ["arm64", "amd64"] {
        let printed = ok("there", &["image", "pull", "--platform", &format!("linux/{arch}"), &name]);
        assert!(printed.contains(&digest), "{printed}");
    }
    let again = kitchen.build("elsewhere", "c", &[&BOTH[..], &["--cache-from", &cache]].concat());
    assert!(again.log.contains("0 steps ran"), "{}", again.log);
    kitchen.write("d/Dockerfile", &format!("FROM {name}\n"));
    for arch in ["amd64", "arm64"] {
        let out = kitchen.path(&format!("from-{arch}"));
        kitchen.build("fresh", "d", &["--platform", arch, "-o", out.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(out.join("b")).unwrap(), format!("for {arch}\n"));
    }

    // on under another name: the images of both platforms, or one of them
    let other = format!("{}/other:2", served.address);
    ok("there", &["image", "push", &name, &other]);
    ok("last", &["image", "pull", "--platform", "linux/arm64", &other]);
    let single = format!("{}/single", served.address);
    ok("there", &["image", "push", "--platform", "linux/arm64", &name, &single]);
    let refused = plimsoll(&kitchen, "last", &["image", "pull", "--platform", "linux/amd64", &single])
        .output()
        .unwrap();
    assert!(log(&refused).contains("it has linux/arm64"), "{}", log(&refused));

    let sbom: Value = serde_json::from_str(&ok("there", &["image", "sbom", &name])).unwrap();
    assert_eq!(sbom["spdxVersion"], "SPDX-2.3");

    // by digest alone, no tag appears
    let quiet = format!("type=image,name={}/quiet:1,push=true,push-by-digest=true", served.address);
    kitchen.build("home", "c", &["-o", &quiet]);
    let tags = plimsoll(&kitchen, "last", &["image", "pull", &format!("{}/quiet:1", served.address)])
        .output()
        .unwrap();
    assert!(log(&tags).contains("does not have"), "{}", log(&tags));
}
