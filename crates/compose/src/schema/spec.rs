//! The Compose specification as data: which attributes there are and what they may hold.

use super::{Object, Shape, Type};
use Shape::{Any, AnyNames, Either, IntBetween, Keys, List, Names, Scalar, Set, Text, Word};

const STRING: Shape = Scalar(&[Type::String]);
const DURATION: Shape = Text(is_duration, "a duration such as `10s` or `1m30s`");
const STRING_OR_NULL: Shape = Scalar(&[Type::String, Type::Null]);
const BOOL: Shape = Scalar(&[Type::Bool, Type::String]);
const PLAIN_BOOL: Shape = Scalar(&[Type::Bool]);
const INT: Shape = Scalar(&[Type::Int, Type::String]);
const PLAIN_INT: Shape = Scalar(&[Type::Int]);
const NUMBER: Shape = Scalar(&[Type::Number, Type::String]);
const PLAIN_NUMBER: Shape = Scalar(&[Type::Number]);
const NULL: Shape = Scalar(&[Type::Null]);
const TEXT_VALUE: Shape = Scalar(&[Type::Number, Type::String, Type::Bool, Type::Null]);
const OPTION_VALUE: Shape = Scalar(&[Type::Number, Type::String]);
const NAME_OR_INT: Shape = Scalar(&[Type::Int, Type::String]);

const STRINGS: Shape = List(&STRING);
const STRING_SET: Shape = Set(&STRING);
const STRING_OR_SET: Shape = Either(&[STRING, STRING_SET]);
const KEY_VALUES: Shape = Either(&[Keys(&TEXT_VALUE), STRING_SET]);
const OPTIONS: Shape = Keys(&OPTION_VALUE);
const COMMAND: Shape = Either(&[NULL, STRING, STRINGS]);
const EXTRA_HOSTS: Shape = Either(&[Keys(&Either(&[STRING, STRINGS])), STRING_SET]);
const TEXT_OR_FLAG: Shape = Scalar(&[Type::String, Type::Bool]);

const fn object(fields: &'static Object) -> Shape {
    Shape::Object(fields)
}

const fn open(fields: &'static [(&'static str, Shape)], required: &'static [&'static str]) -> Object {
    Object { fields, required, closed: false, lax: false }
}

const fn closed(fields: &'static [(&'static str, Shape)], required: &'static [&'static str]) -> Object {
    Object { fields, required, closed: true, lax: false }
}

/// Unknown attributes are ignored.
const fn lax(fields: &'static [(&'static str, Shape)], required: &'static [&'static str]) -> Object {
    Object { fields, required, closed: false, lax: true }
}

pub(super) const ROOT: Shape = object(&open(
    &[
        ("version", STRING),
        ("name", STRING),
        ("include", List(&INCLUDE)),
        ("services", Names(&SERVICE)),
        ("models", AnyNames(&MODEL)),
        ("networks", AnyNames(&NETWORK)),
        ("volumes", Names(&VOLUME)),
        ("secrets", Names(&SECRET)),
        ("configs", Names(&CONFIG)),
    ],
    &[],
));

const INCLUDE: Shape = Either(&[
    STRING,
    object(&closed(
        &[("path", STRING_OR_SET), ("env_file", STRING_OR_SET), ("project_directory", STRING)],
        &[],
    )),
]);

const SERVICE: Shape = object(&open(
    &[
        ("annotations", KEY_VALUES),
        ("attach", BOOL),
        ("blkio_config", BLOCK_IO),
        ("build", Either(&[STRING, BUILD])),
        ("cap_add", STRING_SET),
        ("cap_drop", STRING_SET),
        ("cgroup", Word(&["host", "private"])),
        ("cgroup_parent", STRING),
        ("command", COMMAND),
        ("configs", FILE_REFERENCES),
        (
            "container_name",
            Text(is_container_name, "at least two characters of letters, digits, `_`, `.` and `-`"),
        ),
        ("cpu_count", IntBetween(0, i64::MAX)),
        ("cpu_percent", IntBetween(0, 100)),
        ("cpu_period", NUMBER),
        ("cpu_quota", NUMBER),
        ("cpu_rt_period", NUMBER),
        ("cpu_rt_runtime", NUMBER),
        ("cpu_shares", NUMBER),
        ("cpus", NUMBER),
        ("cpuset", STRING),
        (
            "credential_spec",
            object(&open(&[("config", STRING), ("file", STRING), ("registry", STRING)], &[])),
        ),
        ("depends_on", Either(&[STRING_SET, Names(&DEPENDENCY)])),
        ("deploy", DEPLOY),
        ("develop", DEVELOP),
        ("device_cgroup_rules", STRING_SET),
        ("devices", List(&Either(&[STRING, DEVICE]))),
        ("dns", STRING_OR_SET),
        ("dns_opt", STRING_SET),
        ("dns_search", STRING_OR_SET),
        ("domainname", STRING),
        ("entrypoint", COMMAND),
        ("env_file", Either(&[STRING, List(&Either(&[STRING, ENV_FILE]))])),
        ("environment", KEY_VALUES),
        ("expose", Set(&NAME_OR_INT)),
        (
            "extends",
            Either(&[STRING, object(&closed(&[("service", STRING), ("file", STRING)], &["service"]))]),
        ),
        ("external_links", STRING_SET),
        ("extra_hosts", EXTRA_HOSTS),
        ("gpus", Either(&[Word(&["all"]), List(&GPU)])),
        ("group_add", Set(&NAME_OR_INT)),
        ("healthcheck", HEALTHCHECK),
        ("hostname", STRING),
        ("image", STRING),
        ("init", BOOL),
        ("ipc", STRING),
        ("isolation", STRING),
        ("label_file", Either(&[STRING, STRINGS])),
        ("labels", KEY_VALUES),
        ("links", STRING_SET),
        ("logging", LOGGING),
        ("mac_address", STRING),
        ("mem_limit", NUMBER),
        ("mem_reservation", INT),
        ("mem_swappiness", INT),
        ("memswap_limit", NUMBER),
        ("models", Either(&[STRING_SET, Names(&Either(&[SERVICE_MODEL, NULL]))])),
        ("network_mode", STRING),
        ("networks", Either(&[STRING_SET, Names(&Either(&[SERVICE_NETWORK, NULL]))])),
        ("oom_kill_disable", BOOL),
        ("oom_score_adj", IntBetween(-1000, 1000)),
        ("pid", STRING_OR_NULL),
        ("pids_limit", NUMBER),
        ("platform", STRING),
        ("ports", Set(&Either(&[OPTION_VALUE, PORT]))),
        ("post_start", List(&HOOK)),
        ("pre_start", List(&PRE_START)),
        ("pre_stop", List(&HOOK)),
        ("privileged", BOOL),
        ("profiles", STRING_SET),
        ("provider", PROVIDER),
        (
            "pull_policy",
            Text(
                is_pull_policy,
                "a pull policy (`always`, `missing`, `never`, `build`, `daily`, `every_12h`)",
            ),
        ),
        ("pull_refresh_after", STRING),
        ("read_only", BOOL),
        ("restart", STRING),
        ("runtime", STRING),
        ("scale", INT),
        ("secrets", FILE_REFERENCES),
        ("security_opt", STRING_SET),
        ("shm_size", NUMBER),
        ("stdin_open", BOOL),
        ("stop_grace_period", DURATION),
        ("stop_signal", STRING),
        ("storage_opt", Keys(&Any)),
        ("sysctls", KEY_VALUES),
        ("tmpfs", STRING_OR_SET),
        ("tty", BOOL),
        ("ulimits", ULIMITS),
        ("use_api_socket", PLAIN_BOOL),
        ("user", STRING),
        ("userns_mode", STRING),
        ("uts", STRING),
        ("volumes", Set(&Either(&[STRING, MOUNT]))),
        ("volumes_from", STRING_SET),
        ("working_dir", STRING),
    ],
    &[],
));

const BUILD: Shape = object(&open(
    &[
        ("additional_contexts", KEY_VALUES),
        ("args", KEY_VALUES),
        ("cache_from", STRINGS),
        ("cache_to", STRINGS),
        ("context", STRING),
        ("dockerfile", STRING),
        ("dockerfile_inline", STRING),
        ("entitlements", STRINGS),
        ("extra_hosts", EXTRA_HOSTS),
        ("isolation", STRING),
        ("labels", KEY_VALUES),
        ("network", STRING),
        ("no_cache", BOOL),
        ("no_cache_filter", STRING_OR_SET),
        ("platforms", STRINGS),
        ("privileged", BOOL),
        ("provenance", TEXT_OR_FLAG),
        ("pull", BOOL),
        ("sbom", TEXT_OR_FLAG),
        ("secrets", FILE_REFERENCES),
        ("shm_size", INT),
        ("ssh", KEY_VALUES),
        ("tags", STRINGS),
        ("target", STRING),
        ("ulimits", ULIMITS),
    ],
    &[],
));

const BLOCK_IO: Shape = object(&closed(
    &[
        ("device_read_bps", List(&IO_LIMIT)),
        ("device_read_iops", List(&IO_LIMIT)),
        ("device_write_bps", List(&IO_LIMIT)),
        ("device_write_iops", List(&IO_LIMIT)),
        ("weight", INT),
        ("weight_device", List(&IO_WEIGHT)),
    ],
    &[],
));
const IO_LIMIT: Shape = object(&closed(&[("path", STRING), ("rate", INT)], &[]));
const IO_WEIGHT: Shape = object(&closed(&[("path", STRING), ("weight", INT)], &[]));

const DEPENDENCY: Shape = object(&open(
    &[
        ("restart", BOOL),
        ("required", PLAIN_BOOL),
        ("condition", Word(&["service_started", "service_healthy", "service_completed_successfully"])),
    ],
    &["condition"],
));

const DEVICE: Shape =
    object(&open(&[("source", STRING), ("target", STRING), ("permissions", STRING)], &["source"]));

const ENV_FILE: Shape =
    object(&closed(&[("path", STRING), ("format", STRING), ("required", BOOL)], &["path"]));

const LOGGING: Shape = object(&open(
    &[("driver", STRING), ("options", Keys(&Scalar(&[Type::Number, Type::String, Type::Null])))],
    &[],
));

const SERVICE_MODEL: Shape = object(&open(&[("endpoint_var", STRING), ("model_var", STRING)], &[]));

const SERVICE_NETWORK: Shape = object(&open(
    &[
        ("aliases", STRING_SET),
        ("interface_name", STRING),
        ("ipv4_address", STRING),
        ("ipv6_address", STRING),
        ("link_local_ips", STRING_SET),
        ("mac_address", STRING),
        ("driver_opts", OPTIONS),
        ("priority", PLAIN_NUMBER),
        ("gw_priority", PLAIN_NUMBER),
    ],
    &[],
));

const PORT: Shape = object(&open(
    &[
        ("name", STRING),
        ("mode", STRING),
        ("host_ip", STRING),
        ("target", INT),
        ("published", INT),
        ("protocol", STRING),
        ("app_protocol", STRING),
    ],
    &[],
));

const HOOK: Shape = object(&open(
    &[
        ("command", COMMAND),
        ("user", STRING),
        ("privileged", BOOL),
        ("working_dir", STRING),
        ("environment", KEY_VALUES),
    ],
    &["command"],
));
const PRE_START: Shape = object(&open(
    &[
        ("command", COMMAND),
        ("image", STRING),
        ("per_replica", BOOL),
        ("user", STRING),
        ("privileged", BOOL),
        ("working_dir", STRING),
        ("environment", KEY_VALUES),
    ],
    &[],
));

const PROVIDER: Shape = object(&open(
    &[("type", STRING), ("options", Keys(&Either(&[SCALAR_OPTION, List(&SCALAR_OPTION)])))],
    &["type"],
));
const SCALAR_OPTION: Shape = Scalar(&[Type::Number, Type::String, Type::Bool]);

const MOUNT: Shape = object(&open(
    &[
        ("type", Word(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
        ("source", STRING),
        ("target", STRING),
        ("read_only", BOOL),
        ("consistency", STRING),
        (
            "bind",
            object(&open(
                &[
                    ("propagation", STRING),
                    ("create_host_path", BOOL),
                    ("recursive", Word(&["enabled", "disabled", "writable", "readonly"])),
                    ("selinux", Word(&["z", "Z"])),
                ],
                &[],
            )),
        ),
        ("volume", object(&open(&[("labels", KEY_VALUES), ("nocopy", BOOL), ("subpath", STRING)], &[]))),
        ("tmpfs", object(&open(&[("size", IntBetween(0, i64::MAX)), ("mode", PLAIN_NUMBER)], &[]))),
        ("image", object(&open(&[("subpath", STRING)], &[]))),
    ],
    &["type"],
));

const HEALTHCHECK: Shape = object(&open(
    &[
        ("disable", BOOL),
        ("interval", DURATION),
        ("retries", NUMBER),
        ("test", Either(&[STRING, STRINGS])),
        ("timeout", DURATION),
        ("start_period", DURATION),
        ("start_interval", DURATION),
    ],
    &[],
));

const DEVELOP: Shape = Either(&[object(&open(&[("watch", List(&WATCH))], &[])), NULL]);
const WATCH: Shape = object(&open(
    &[
        ("ignore", STRING_OR_SET),
        ("include", STRING_OR_SET),
        ("path", STRING),
        ("action", Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
        ("target", STRING),
        ("exec", HOOK),
        ("initial_sync", PLAIN_BOOL),
    ],
    &["path", "action"],
));

const DEPLOY: Shape = Either(&[
    object(&open(
        &[
            ("mode", STRING),
            ("endpoint_mode", STRING),
            ("replicas", INT),
            ("labels", KEY_VALUES),
            ("rollback_config", UPDATE),
            ("update_config", UPDATE),
            ("resources", object(&open(&[("limits", LIMITS), ("reservations", RESERVATIONS)], &[]))),
            ("restart_policy", RESTART_POLICY),
            ("placement", PLACEMENT),
        ],
        &[],
    )),
    NULL,
]);
const UPDATE: Shape = object(&open(
    &[
        ("parallelism", INT),
        ("delay", DURATION),
        ("failure_action", STRING),
        ("monitor", DURATION),
        ("max_failure_ratio", NUMBER),
        ("order", Word(&["start-first", "stop-first"])),
    ],
    &[],
));
const LIMITS: Shape = object(&open(&[("cpus", NUMBER), ("memory", STRING), ("pids", INT)], &[]));
const RESERVATIONS: Shape = object(&open(
    &[
        ("cpus", NUMBER),
        ("memory", STRING),
        ("generic_resources", List(&GENERIC)),
        ("devices", List(&RESERVED_DEVICE)),
    ],
    &[],
));
const GENERIC: Shape = object(&open(
    &[("discrete_resource_spec", object(&open(&[("kind", STRING), ("value", NUMBER)], &[])))],
    &[],
));
const RESERVED_DEVICE: Shape = object(&open(
    &[
        ("capabilities", STRING_SET),
        ("count", INT),
        ("device_ids", STRING_SET),
        ("driver", STRING),
        ("options", KEY_VALUES),
    ],
    &["capabilities"],
));
const GPU: Shape = object(&lax(
    &[
        ("capabilities", STRING_SET),
        ("count", INT),
        ("device_ids", STRING_SET),
        ("driver", STRING),
        ("options", KEY_VALUES),
    ],
    &[],
));
const RESTART_POLICY: Shape = object(&open(
    &[("condition", STRING), ("delay", DURATION), ("max_attempts", INT), ("window", DURATION)],
    &[],
));
const PLACEMENT: Shape = object(&open(
    &[
        ("constraints", STRINGS),
        ("preferences", List(&object(&open(&[("spread", STRING)], &[])))),
        ("max_replicas_per_node", INT),
    ],
    &[],
));

const FILE_REFERENCES: Shape = List(&Either(&[
    STRING,
    object(&open(
        &[("source", STRING), ("target", STRING), ("uid", STRING), ("gid", STRING), ("mode", NUMBER)],
        &[],
    )),
]));

const ULIMITS: Shape =
    Keys(&Either(&[INT, object(&open(&[("hard", INT), ("soft", INT)], &["soft", "hard"]))]));

const EXTERNAL: Shape = Either(&[BOOL, object(&open(&[("name", STRING)], &[]))]);
const EXTERNAL_FILE: Shape = Either(&[BOOL, object(&lax(&[("name", STRING)], &[]))]);

const NETWORK: Shape = Either(&[
    object(&open(
        &[
            ("name", STRING),
            ("driver", STRING),
            ("driver_opts", OPTIONS),
            ("ipam", IPAM),
            ("external", EXTERNAL),
            ("internal", BOOL),
            ("enable_ipv4", BOOL),
            ("enable_ipv6", BOOL),
            ("attachable", BOOL),
            ("labels", KEY_VALUES),
        ],
        &[],
    )),
    NULL,
]);
const IPAM: Shape =
    object(&open(&[("driver", STRING), ("config", List(&POOL)), ("options", Keys(&STRING))], &[]));
const POOL: Shape = object(&open(
    &[("subnet", STRING), ("ip_range", STRING), ("gateway", STRING), ("aux_addresses", Keys(&STRING))],
    &[],
));

const VOLUME: Shape = Either(&[
    object(&open(
        &[
            ("name", STRING),
            ("driver", STRING),
            ("driver_opts", OPTIONS),
            ("external", EXTERNAL),
            ("labels", KEY_VALUES),
        ],
        &[],
    )),
    NULL,
]);

const SECRET: Shape = object(&open(
    &[
        ("name", STRING),
        ("environment", STRING),
        ("file", STRING),
        ("external", EXTERNAL_FILE),
        ("labels", KEY_VALUES),
        ("driver", STRING),
        ("driver_opts", OPTIONS),
        ("template_driver", STRING),
    ],
    &[],
));

const CONFIG: Shape = object(&open(
    &[
        ("name", STRING),
        ("content", STRING),
        ("environment", STRING),
        ("file", STRING),
        ("external", EXTERNAL_FILE),
        ("labels", KEY_VALUES),
        ("template_driver", STRING),
    ],
    &[],
));

const MODEL: Shape = object(&open(
    &[("name", STRING), ("model", STRING), ("context_size", PLAIN_INT), ("runtime_flags", STRINGS)],
    &["model"],
));

/// The reference searches for the pattern anywhere; two such characters in a row are enough.
fn is_container_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(2).any(|pair| {
        pair[0].is_ascii_alphanumeric()
            && (pair[1].is_ascii_alphanumeric() || matches!(pair[1], b'_' | b'.' | b'-'))
    })
}

fn is_duration(text: &str) -> bool {
    text.is_empty() || crate::cast::duration(text).is_some()
}

fn is_pull_policy(text: &str) -> bool {
    const WORDS: [&str; 8] =
        ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    WORDS.iter().any(|word| text.contains(word)) || text.split("every_").skip(1).any(starts_with_duration)
}

fn starts_with_duration(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && text[digits..].starts_with(['w', 'd', 'h', 'm', 's'])
}
