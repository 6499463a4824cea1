//! Libraries that load the driver of a database by its name: no program imports it, so that the driver among the packages
//! says which database is opened.

use super::{dialect, fixed_host};
use plimsoll_source::json;

use crate::{
    context::{Context, join},
    detect::stores,
    manifest::Manifest,
    model::{Address, Confidence, Evidence, Fact, Part, Question, Service, StoreKind},
};

/// What loads drivers.
const LIBRARIES: [&str; 9] = [
    "typeorm",
    "@nestjs/typeorm",
    "sequelize",
    "sequelize-typescript",
    "@nestjs/sequelize",
    "knex",
    "objection",
    "@mikro-orm/core",
    "bookshelf",
];

/// Drivers that they load.
const DRIVERS: [(&str, StoreKind); 8] = [
    ("pg", StoreKind::Postgresql),
    ("mysql", StoreKind::Mysql),
    ("mysql2", StoreKind::Mysql),
    ("mariadb", StoreKind::Mysql),
    ("sqlite3", StoreKind::Sqlite),
    ("better-sqlite3", StoreKind::Sqlite),
    ("mongodb", StoreKind::Mongodb),
    ("sql.js", StoreKind::Sqlite),
];

/// What the packages and their files of settings say.
pub(super) struct Orm {
    /// The library, where there is one.
    library: Option<String>,
    /// Kinds of the drivers among the packages, each once.
    kinds: Vec<StoreKind>,
    /// Kinds that the development compose file starts.
    started: Vec<(StoreKind, Evidence)>,
    /// ormconfig.json: kind and host.
    file: Option<(StoreKind, Option<Fact<String>>)>,
    /// MikroORM of a version that reads variables of its own.
    mikro: Option<Evidence>,
}

impl Orm {
    pub(super) fn of(context: &Context<'_>, manifests: &[&Manifest]) -> Self {
        let has = |name: &str| manifests.iter().any(|manifest| manifest.dependency(name).is_some());
        let mut kinds = Vec::new();
        for (_, kind) in DRIVERS.iter().filter(|(driver, _)| has(driver)) {
            if !kinds.contains(kind) {
                kinds.push(*kind);
            }
        }
        Self {
            library: LIBRARIES.into_iter().find(|name| has(name)).map(str::to_owned),
            kinds,
            started: stores::in_development(context),
            file: manifests.iter().find_map(|manifest| ormconfig(context, manifest)),
            mikro: manifests.iter().find_map(|manifest| mikro(manifest)),
        }
    }

    /// The kind that a library opens, where the call itself does not say it.
    pub(super) fn kind(&self, package: &str) -> Option<StoreKind> {
        if !LIBRARIES.contains(&package) {
            return None;
        }
        let of_file = self.file.as_ref().filter(|_| package.ends_with("typeorm")).map(|(kind, _)| *kind);
        of_file.or_else(|| self.driver())
    }

    /// The name that a library has for the kind of its driver.
    pub(super) fn dialect(&self, package: &str) -> Option<&'static str> {
        let kind = self.kind(package)?;
        Some(match (kind, package) {
            (StoreKind::Postgresql, "knex") => "pg",
            (StoreKind::Postgresql, _) => "postgres",
            (StoreKind::Mysql, "knex") => "mysql2",
            (StoreKind::Mysql, _) => "mysql",
            _ => return None,
        })
    }

    /// The one driver, or the one whose database is started for development.
    fn driver(&self) -> Option<StoreKind> {
        if let [kind] = self.kinds[..] {
            return Some(kind);
        }
        let mut started =
            self.kinds.iter().filter(|kind| self.started.iter().any(|(known, _)| known == *kind));
        started.next().filter(|_| started.next().is_none()).copied()
    }

    /// The host of ormconfig.json.
    pub(super) fn fixed(&self) -> Option<Address> {
        let (_, host) = self.file.as_ref()?;
        Some(Address::fixed(host.clone()?))
    }

    /// MikroORM takes these variables over what its settings say.
    pub(super) fn by_itself(&self) -> Option<Address> {
        let place = self.mikro.as_ref()?;
        let names = [
            (Part::Host, "MIKRO_ORM_HOST"),
            (Part::Port, "MIKRO_ORM_PORT"),
            (Part::User, "MIKRO_ORM_USER"),
            (Part::Password, "MIKRO_ORM_PASSWORD"),
            (Part::Database, "MIKRO_ORM_DB_NAME"),
        ];
        let variables =
            names.into_iter().map(|(part, name)| (part, Fact::new(name.to_owned(), place.clone()))).collect();
        Some(Address::Parts { variables, file_variants: Vec::new(), written: Vec::new() })
    }

    /// Whether a database is needed whose client nothing opens: yes where something else speaks for it.
    pub(super) fn question(
        &self,
        service: &Service,
        package: &str,
        kind: StoreKind,
        client: &Evidence,
    ) -> Question {
        let label = kind.label();
        let driver = DRIVERS.iter().any(|(driver, _)| *driver == package);
        let library = self.library.as_ref().filter(|_| driver && self.driver().is_none_or(|one| one == kind));
        let started = self.started.iter().find(|(known, _)| *known == kind);
        let because = match (library, started) {
            (Some(library), _) => format!(", which {library} loads by its name"),
            (None, Some(_)) => format!(", and the development compose file starts {label}"),
            (None, None) => String::new(),
        };
        let needed = !because.is_empty();
        Question {
            id: format!("{}.{}", service.name, label.to_lowercase()),
            text: format!(
                "{} has a client of {label} among its packages{because}, and nothing opens it that could be followed. \
                 Does it need {label}?",
                service.name
            ),
            options: vec!["no".to_owned(), "yes".to_owned()],
            default: Some(if needed { "yes" } else { "no" }.to_owned()),
            confidence: if needed { Confidence::Likely } else { Confidence::Open },
            evidence: std::iter::once(client.clone())
                .chain(started.map(|(_, place)| place.clone()))
                .collect(),
        }
    }
}

/// ormconfig.json of TypeORM: the first connection's kind and host.
fn ormconfig(context: &Context<'_>, manifest: &Manifest) -> Option<(StoreKind, Option<Fact<String>>)> {
    let source = context.repository.source(&join(&manifest.folder, "ormconfig.json"))?;
    let root = json::parse(&source).ok()?;
    let connection = root.items().first().unwrap_or(&root);
    let kind = dialect(connection.get("type")?.value.str()?)?;
    let host = connection.get("host").and_then(|host| {
        let evidence = Evidence::new(&source, host.span(), "the address in TypeORM's file of settings");
        Some(Fact::new(host.value.str()?.to_owned(), evidence))
    });
    let url = || {
        connection.get("url").and_then(|url| {
            let evidence = Evidence::new(&source, url.span(), "the address in TypeORM's file of settings");
            Some(Fact::new(fixed_host(url.value.str()?)?.to_owned(), evidence))
        })
    };
    Some((kind, host.or_else(url)))
}

/// Its versions 4 to 6 read `MIKRO_ORM_HOST` and the like by themselves.
fn mikro(manifest: &Manifest) -> Option<Evidence> {
    let core = manifest.dependency("@mikro-orm/core")?;
    let major = core.range.trim_start_matches(['^', '~', '>', '=', 'v', ' ']).split('.').next()?;
    matches!(major, "4" | "5" | "6").then(|| {
        Evidence::new(&manifest.source, core.span, "MikroORM reads it by itself, whatever its settings say")
    })
}
