//! Cache mounts that travel between machines, and whom they belong to, with the real binary.

#[allow(dead_code, reason = "other test files use the rest")]
#[path = "support/builder.rs"]
mod support;

use std::fs;

use support::{Kitchen, base, log};

fn debian() -> String {
    base("debian", "debian", "plimsoll.local/debian:13")
}

#[test]
fn a_job_goes_on_where_another_ended() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    kitchen.write(
        "c/Dockerfile",
        "FROM debian\nRUN --mount=type=cache,target=/root/.npm --mount=type=cache,id=pip,target=/pip \
         cat /root/.npm/count 2>/dev/null > /before; echo x >> /root/.npm/count; echo w > /pip/wheel\n",
    );
    kitchen.write(
        "other/Dockerfile",
        "FROM debian\nRUN --mount=type=cache,id=elsewhere,target=/e echo e > /e/e\n",
    );
    let args = ["--build-context", debian.as_str()];
    // another machine: nothing is left of the builds before
    let another = || fs::remove_dir_all(kitchen.path("home/build")).unwrap();
    let before = || kitchen.file("home", "c", &args, "before");
    kitchen.build("home", "other", &args);
    for (place, again) in [("mounts.tar.zst", "again.tar.zst"), ("folder/mounts", "folder/again")] {
        let (from, to) =
            (kitchen.path(place).display().to_string(), kitchen.path(again).display().to_string());
        another();
        kitchen.build("home", "other", &args);
        // nothing is there yet, which is no error; what is written are the mounts of this build alone
        let flags = ["--cache-mounts-from", from.as_str(), "--cache-mounts-to", from.as_str()];
        let built = kitchen.build("home", "c", &[&args[..], &flags].concat());
        assert!(built.log.contains("nothing in"), "{}", built.log);
        assert!(built.log.contains(": pip, /root/.npm\n"), "{}", built.log);
        assert_eq!(before(), "");

        another();
        let flags = ["--cache-mounts-from", from.as_str(), "--cache-mounts-to", to.as_str()];
        let built = kitchen.build("home", "c", &[&args[..], &flags].concat());
        assert!(built.log.contains("cache mount /root/.npm: taken"), "{}", built.log);
        assert_eq!(before(), "x\n");

        // only some, and what is here stays
        another();
        let some = format!("{to},id=/root/.npm");
        let built = kitchen.build("home", "c", &[&args[..], &["--cache-mounts-from", &some]].concat());
        assert!(!built.log.contains("cache mount pip"), "{}", built.log);
        assert_eq!(before(), "x\nx\n");
        let again = [&args[..], &["--no-cache", "--cache-mounts-from", &from]].concat();
        let built = kitchen.build("home", "c", &again);
        assert!(built.log.contains("/root/.npm: is here already and stays"), "{}", built.log);
        assert_eq!(before(), "x\nx\nx\n");
    }
    // a damaged cache is told and not used
    let place = kitchen.path("mounts.tar.zst");
    let bytes = fs::read(&place).unwrap();
    fs::write(&place, &bytes[..bytes.len() / 2]).unwrap();
    another();
    let from = place.display().to_string();
    let built = kitchen.build("home", "c", &[&args[..], &["--cache-mounts-from", &from]].concat());
    assert!(built.log.contains("cache mounts: not taken from"), "{}", built.log);
    assert_eq!(before(), "");
    let refused = kitchen
        .command("home", "c", &[&args[..], &["--cache-mounts-to", "x,mode=max"]].concat())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(log(&refused).contains("`mode=max` is not known"), "{}", log(&refused));
}

#[test]
fn a_cache_mount_may_follow_the_user() {
    let Some(kitchen) = Kitchen::new() else { return };
    let debian = debian();
    kitchen.write(
        "c/Dockerfile",
        "FROM debian\nRUN groupadd -g 4321 crew && useradd --no-log-init -u 1234 -g crew app && mkdir /out && chown app /out\n\
         USER app\nRUN --mount=type=cache,target=/a --mount=type=cache,target=/b,uid=7 --mount=type=cache,target=/c,gid=8,mode=0700 \
         stat -c '%n %u %g %a' /a /b /c > /out/owners; echo mine > /a/x && echo wrote >> /out/owners || true\n",
    );
    let args = ["--build-context", debian.as_str()];
    assert_eq!(kitchen.file("home", "c", &args, "out/owners"), "/a 0 0 755\n/b 7 0 755\n/c 0 8 700\n");
    let user = [&args[..], &["--cache-mount-owner=user"]].concat();
    assert_eq!(
        kitchen.file("home", "c", &user, "out/owners"),
        "/a 1234 4321 755\n/b 7 4321 755\n/c 1234 8 700\nwrote\n"
    );
    // both are kept beside one another
    assert_eq!(kitchen.file("home", "c", &args, "out/owners"), "/a 0 0 755\n/b 7 0 755\n/c 0 8 700\n");
}
