//! The stores, fitted to their limits, the secrets that open them, and how each service learns where they are.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_facts::{
    Version,
    images::{mysql, postgres, rabbitmq, redis},
};
use plimsoll_survey::{Address, Part, Service, Store, StoreKind, StoreRole, StoreUse, is_this_machine};

use super::{
    Passes, checked,
    environment::{self, Environment},
    names, own_image, secrets,
};
use crate::{
    escape, rules,
    stack::{Dependency, Reader, SecretContent, Setting, StoreTexts, Unit},
};

mod mongodb;
mod written;

const HEALTHY: &str = "service_healthy";

/// The stores of a stack.
#[derive(Default)]
pub(super) struct Stores {
    pub(super) units: Vec<Unit>,
    opened: BTreeMap<String, Opened>,
    /// Secret with the address, by service and variable.
    addresses: BTreeMap<(String, String), String>,
}

/// A store as a health check asks it.
pub(super) struct Socket {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) hello: &'static str,
}

/// How a store is reached.
struct Opened {
    name: String,
    kind: StoreKind,
    user: String,
    database: String,
    /// Secret with its password; nothing where it asks for none.
    password: Option<String>,
    /// Its password stands in the source of a program.
    written: Option<String>,
}

impl Opened {
    /// Host and port, with what stands around them in a program's variable.
    fn authority(&self, service: &Service, variable: &str) -> String {
        let forms = service.own_image.iter().flat_map(|image| &image.forms);
        let form = forms.into_iter().find(|form| form.variable == variable);
        let before = form.map_or("", |form| form.before.as_str());
        let suffix = form.and_then(|form| form.suffix.as_deref()).map(|suffix| self.suffix(Some(suffix)));
        format!("{before}{}:{}{}", self.name, self.kind.port(), suffix.unwrap_or_default())
    }

    /// The bytes that it answers before it knows who asks, as Python and JavaScript write them. A connection alone says
    /// nothing: the kernel accepts it for a server that is stopped.
    fn hello(&self) -> &'static str {
        match self.kind {
            // SSLRequest (PostgreSQL 17, 53.2.12 SSL Session Encryption); it logs nothing when no more follows
            StoreKind::Postgresql => r"\x00\x00\x00\x08\x04\xd2\x16\x2f",
            // "NOAUTH" is an answer too
            StoreKind::Redis => r"PING\r\n",
            // AMQP 0-9-1, 4.2.2 Protocol Header
            StoreKind::Rabbitmq => r"AMQP\x00\x00\x09\x01",
            StoreKind::Mongodb => mongodb::HELLO,
            // it greets first
            StoreKind::Mysql | StoreKind::Sqlite => "",
        }
    }

    /// The scheme that the program wants, which may name a driver. `mongodb+srv` asks a name server that nobody has here.
    fn scheme<'s>(&self, wanted: Option<&'s str>) -> &'s str {
        if let Some(wanted) = wanted.filter(|_| self.kind != StoreKind::Mongodb) {
            return wanted;
        }
        self.kind.scheme()
    }

    /// The path of its URL and what follows it.
    fn suffix(&self, wanted: Option<&str>) -> String {
        if self.kind == StoreKind::Mongodb {
            return mongodb::suffix(&self.database, wanted, self.password.is_some());
        }
        let base = match self.kind {
            StoreKind::Postgresql | StoreKind::Mysql => format!("/{}", self.database),
            StoreKind::Rabbitmq if self.database != "/" => format!("/{}", self.database),
            _ => String::new(),
        };
        match wanted {
            Some(query) if query.starts_with('?') => format!("{base}{query}"),
            Some(path) if self.kind == StoreKind::Redis => path.to_owned(),
            Some(path) => path.find('?').map_or(base.clone(), |at| format!("{base}{}", &path[at..])),
            None => base,
        }
    }
}

pub(super) fn plan(passes: &mut Passes<'_>, services: &[&Service]) -> Stores {
    let mut stores = Stores::default();
    let survey = passes.survey;
    for store in &survey.stores {
        let uses =
            || services.iter().flat_map(|service| service.stores.iter().map(move |used| (*service, used)));
        let users: Vec<(&Service, &StoreUse)> = uses().filter(|(_, used)| used.store == store.name).collect();
        if users.is_empty() {
            continue;
        }
        stores.add(passes, store, &users);
    }
    stores
}

/// Named volumes, in the order of their services.
pub(super) fn volumes(units: &[Unit]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let of_stores = units.iter().filter_map(|unit| unit.store.as_ref()).map(|store| store.volume.clone());
    let of_programs = units
        .iter()
        .flat_map(|unit| &unit.volumes)
        .filter_map(|volume| volume.split_once(':').map(|(name, _)| name.to_owned()));
    of_programs.chain(of_stores).filter(|name| !name.is_empty() && seen.insert(name.clone())).collect()
}

impl Stores {
    fn add(&mut self, passes: &mut Passes<'_>, store: &Store, users: &[(&Service, &StoreUse)]) {
        let name = names::slug(&store.name);
        let opened = match store.kind {
            StoreKind::Postgresql => self.postgres(passes, store, &name),
            StoreKind::Mysql => self.mysql(passes, store, &name),
            StoreKind::Redis => self.redis(passes, store, &name, users),
            StoreKind::Rabbitmq => self.rabbitmq(passes, store, &name),
            // A file of the service: its volume comes with what the service writes.
            StoreKind::Sqlite => return,
            StoreKind::Mongodb => self.mongodb(passes, store, &name, users),
        };
        for (service, used) in users {
            self.address(passes, &opened, service, used);
        }
        self.opened.insert(store.name.clone(), opened);
    }

    /// Makes the secrets with which a service opens a store.
    fn address(&mut self, passes: &mut Passes<'_>, opened: &Opened, service: &Service, used: &StoreUse) {
        let (variable, content) = match (&used.address, &opened.password) {
            (Some(Address::Url { variable, scheme, suffix, .. }), Some(password)) => {
                let content = SecretContent::Url {
                    password: password.clone(),
                    scheme: opened.scheme(scheme.as_deref()).to_owned(),
                    user: opened.user.clone(),
                    host: opened.name.clone(),
                    port: opened.kind.port(),
                    suffix: opened.suffix(suffix.as_deref()),
                };
                (variable, content)
            }
            (Some(Address::Parts { variables, .. }), Some(password)) => {
                let Some((_, variable)) = variables.iter().find(|(part, _)| *part == Part::Password) else {
                    return;
                };
                (variable, SecretContent::Copy { of: password.clone() })
            }
            _ => return,
        };
        let short = secrets::name_of(&variable.value);
        let long = format!("{}_{short}", names::slug(&service.name));
        let secret = passes.secrets.add(&[&short, &long], &own_image::reader(passes, service), &content);
        self.addresses.insert((service.name.clone(), variable.value.clone()), secret);
    }

    /// Whether the stack sets this variable of a service because of a store.
    pub(super) fn sets(&self, service: &Service, name: &str) -> bool {
        let name = name.strip_suffix("_FILE").unwrap_or(name);
        let known = service.stores.iter().filter(|used| self.opened.contains_key(&used.store));
        known.filter_map(|used| used.address.as_ref()).any(|address| match address {
            Address::Url { variable, .. } => variable.value == name,
            Address::Parts { variables, .. } => variables.iter().any(|(_, variable)| variable.value == name),
            Address::Fixed { .. } => false,
        })
    }

    /// The store that a program looks for at a port of its own machine: `127.0.0.1:6379` is `redis:6379`.
    pub(super) fn behind(&self, service: &Service, default: &str) -> Option<String> {
        let (host, port) = default.rsplit_once(':')?;
        let port: u16 = port.parse().ok().filter(|_| !host.is_empty() && is_this_machine(host))?;
        let used = service.stores.iter().filter_map(|used| self.opened.get(&used.store));
        let mut names: Vec<&str> =
            used.filter(|opened| opened.kind.port() == port).map(|opened| opened.name.as_str()).collect();
        names.dedup();
        match names[..] {
            [name] => Some(format!("{name}:{port}")),
            _ => None,
        }
    }

    /// Gives a service the addresses of its stores and the order.
    pub(super) fn connect(&self, passes: &mut Passes<'_>, service: &Service, to: &mut Environment) {
        for used in &service.stores {
            let Some(opened) = self.opened.get(&used.store) else { continue };
            if to.depends_on.iter().all(|known| known.name != opened.name) {
                to.depends_on.push(Dependency { name: opened.name.clone(), condition: HEALTHY });
            }
            let relational = opened.kind.is_relational();
            match &used.address {
                Some(Address::Url { variable, file_variant, scheme, suffix }) => {
                    let key = (service.name.clone(), variable.value.clone());
                    match self.addresses.get(&key) {
                        Some(secret) => {
                            environment::secret_file(to, &variable.value, secret, *file_variant, relational);
                        }
                        None => {
                            let url = format!(
                                "{}://{}:{}{}",
                                opened.scheme(scheme.as_deref()),
                                opened.name,
                                opened.kind.port(),
                                opened.suffix(suffix.as_deref())
                            );
                            to.settings.push(Setting::new(&variable.value, escape::compose(&url)));
                        }
                    }
                }
                Some(address @ Address::Parts { variables, file_variants, .. }) => {
                    self.parts(service, opened, variables, file_variants, relational, to);
                    written::notes(passes, service, used.kind, opened, address);
                }
                Some(address @ Address::Fixed { .. }) => {
                    written::notes(passes, service, used.kind, opened, address);
                }
                None => passes.note(
                    rules::STORE_ADDRESS_UNKNOWN,
                    &service.name,
                    format!("how it learns the address of {} is not known", used.kind.label()),
                    "read the address from one variable, as DATABASE_URL".to_owned(),
                    &used.evidence,
                ),
            }
        }
    }

    fn parts(
        &self,
        service: &Service,
        opened: &Opened,
        variables: &[(Part, plimsoll_survey::Fact<String>)],
        file_variants: &[String],
        relational: bool,
        to: &mut Environment,
    ) {
        for (part, variable) in variables {
            let name = &variable.value;
            let value = match part {
                Part::Host => opened.name.clone(),
                Part::Authority => opened.authority(service, name),
                Part::Port => opened.kind.port().to_string(),
                // The name of the user that a password alone means. A program may refuse an empty one.
                Part::User if opened.kind == StoreKind::Redis => "default".to_owned(),
                Part::User => opened.user.clone(),
                Part::Database => opened.database.clone(),
                Part::Password => {
                    if let Some(secret) = self.addresses.get(&(service.name.clone(), name.clone())) {
                        environment::secret_file(to, name, secret, file_variants.contains(name), relational);
                    }
                    continue;
                }
            };
            let setting = Setting::new(name, escape::compose(&value));
            if relational {
                to.for_migrations.push(setting.clone());
            }
            to.settings.push(setting);
        }
    }

    /// Stores whose schema a service's migrations change.
    pub(super) fn relational(&self, service: &Service) -> Vec<&str> {
        let used = service.stores.iter().filter_map(|used| self.opened.get(&used.store));
        let relational = used.filter(|it| it.kind.is_relational());
        let mut names: Vec<&str> = Vec::new();
        for opened in relational {
            // Two addresses may lead to one store.
            if !names.contains(&opened.name.as_str()) {
                names.push(&opened.name);
            }
        }
        names
    }

    /// Where each store of a service is asked whether it answers.
    pub(super) fn sockets(&self, service: &Service) -> Vec<Socket> {
        let mut sockets: Vec<Socket> = Vec::new();
        for opened in service.stores.iter().filter_map(|used| self.opened.get(&used.store)) {
            if sockets.iter().all(|known| known.host != opened.name) {
                sockets.push(Socket {
                    host: opened.name.clone(),
                    port: opened.kind.port(),
                    hello: opened.hello(),
                });
            }
        }
        sockets
    }

    fn postgres(&mut self, passes: &mut Passes<'_>, store: &Store, name: &str) -> Opened {
        let limit = passes.policy.postgres.megabytes;
        let (user, database) = user_and_database(passes, store);
        let password = passes.secrets.add(&[&format!("{name}_password")], &Reader::Store, &password(store));
        let version = version(store, "17");
        let major = version.split('.').next().and_then(Version::parse).or_else(|| Version::parse("17"));
        let (image, kept_image) = image(store, format!("postgres:{version}-trixie"));
        let texts = StoreTexts {
            user: user.clone(),
            database: database.clone(),
            secret: password.clone(),
            volume: format!("{name}_data"),
            data: data(store.kind, major),
            shared_buffers: postgres::SHARED_BUFFERS.of(limit),
            effective_cache_size: postgres::EFFECTIVE_CACHE_SIZE.of(limit),
            maintenance_work_mem: postgres::MAINTENANCE_WORK_MEM.of(limit),
            max_connections: 50,
            kept_image,
            ..StoreTexts::default()
        };
        let limits = passes.policy.postgres.clone();
        self.units.push(unit(passes, "postgres", name, image, texts, &limits, &[&password], 60));
        let password = Some(password);
        Opened { name: name.to_owned(), kind: store.kind, user, database, password, written: written(store) }
    }

    fn mysql(&mut self, passes: &mut Passes<'_>, store: &Store, name: &str) -> Opened {
        let limit = passes.policy.mysql.megabytes;
        let (user, database) = user_and_database(passes, store);
        // The source's login may be that of `root`, which has a secret of its own.
        let (own, roots) = if user == "root" {
            (SecretContent::Random, password(store))
        } else {
            (password(store), SecretContent::Random)
        };
        let password = passes.secrets.add(&[&format!("{name}_password")], &Reader::Store, &own);
        let root = passes.secrets.add(&[&format!("{name}_root_password")], &Reader::Store, &roots);
        let kept = store.image.as_ref().map(|image| image.value.clone());
        let version = version(store, "11.8");
        // Both keep to the same contract.
        let image = kept.unwrap_or_else(|| format!("{}:{version}", mysql::image_of(&version)));
        let texts = StoreTexts {
            // `root` is the image's own; an application has a user of its own.
            user: if user == "root" { "app".to_owned() } else { user },
            database: database.clone(),
            secret: password.clone(),
            root_secret: root.clone(),
            volume: format!("{name}_data"),
            data: data(store.kind, None),
            buffer_pool: mysql::BUFFER_POOL.of(limit),
            max_connections: 50,
            ..StoreTexts::default()
        };
        let user = texts.user.clone();
        let limits = passes.policy.mysql.clone();
        self.units.push(unit(passes, "mysql", name, image, texts, &limits, &[&password, &root], 60));
        let password = Some(password);
        Opened { name: name.to_owned(), kind: store.kind, user, database, password, written: written(store) }
    }

    fn redis(
        &mut self,
        passes: &mut Passes<'_>,
        store: &Store,
        name: &str,
        users: &[(&Service, &StoreUse)],
    ) -> Opened {
        let limit = passes.policy.redis.megabytes;
        let version = version(store, "8");
        // Redis gives a tag to every minor version; a major version alone would float.
        let version = if version == "8" { "8.0".to_owned() } else { version };
        let (image, kept_image) = image(store, format!("redis:{version}-bookworm"));
        let deaf = is_deaf(passes, name, users, "REDIS_URL");
        let conf = (!deaf).then(|| {
            passes.secrets.add(
                &[&format!("{name}_conf")],
                &Reader::Store,
                &SecretContent::RedisConf { written: written(store) },
            )
        });
        let cache = store.role == StoreRole::Cache;
        let texts = StoreTexts {
            secret: conf.clone().unwrap_or_default(),
            volume: if cache { String::new() } else { format!("{name}_data") },
            data: data(store.kind, None),
            maxmemory: redis::MAXMEMORY.of(limit),
            cache,
            kept_image,
            ..StoreTexts::default()
        };
        let limits = passes.policy.redis.clone();
        let secrets: Vec<&str> = conf.as_deref().into_iter().collect();
        self.units.push(unit(passes, "redis", name, image, texts, &limits, &secrets, 30));
        Opened {
            name: name.to_owned(),
            kind: store.kind,
            user: String::new(),
            database: "0".to_owned(),
            password: conf,
            written: written(store),
        }
    }

    fn rabbitmq(&mut self, passes: &mut Passes<'_>, store: &Store, name: &str) -> Opened {
        let user = store.user.as_ref().map(|user| names::slug(&user.value));
        // `guest` may only come from the broker's own machine.
        let user = user.filter(|user| user != "guest").unwrap_or_else(|| names::slug(&passes.project));
        let content = SecretContent::RabbitmqConf { user: user.clone() };
        let conf = passes.secrets.add(&[&format!("{name}_conf")], &Reader::Store, &content);
        let version = version(store, "4.0");
        let version = if version == "4" { "4.0".to_owned() } else { version };
        let (image, kept_image) = image(store, format!("rabbitmq:{version}"));
        let texts = StoreTexts {
            user: user.clone(),
            secret: conf.clone(),
            volume: format!("{name}_data"),
            data: data(store.kind, None),
            watermark: rabbitmq::MEMORY_WATERMARK.of(passes.policy.rabbitmq.megabytes),
            kept_image,
            ..StoreTexts::default()
        };
        let limits = passes.policy.rabbitmq.clone();
        self.units.push(unit(passes, "rabbitmq", name, image, texts, &limits, &[&conf], 60));
        Opened {
            name: name.to_owned(),
            kind: store.kind,
            user,
            database: "/".to_owned(),
            password: Some(conf),
            written: None,
        }
    }
}

/// Whether a client gives no password, which is said: then the store asks nobody for one.
fn is_deaf(
    passes: &mut Passes<'_>,
    name: &str,
    users: &[(&Service, &StoreUse)],
    variable: &'static str,
) -> bool {
    let Some((service, used)) = users.iter().find(|(_, used)| !takes_password(used.address.as_ref())) else {
        return false;
    };
    passes.note(
        rules::STORE_WITHOUT_PASSWORD,
        &service.name,
        format!("it reads no password of {}: {name} asks nobody for one", used.kind.label()),
        format!("read the address from one variable, as {variable}; only the stack's own services reach it"),
        &used.evidence,
    );
    true
}

fn takes_password(address: Option<&Address>) -> bool {
    match address {
        Some(Address::Url { .. }) => true,
        Some(address) => {
            address.variable(Part::Password).is_some() || address.written(Part::Password).is_some()
        }
        None => false,
    }
}

/// The password of a store that stands in the source, in a shape that every file of a store can hold.
fn written(store: &Store) -> Option<String> {
    let text = store.password.as_ref()?.value.clone();
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '#' | '$' | '`');
    (text.len() <= 128 && text.chars().all(plain)).then_some(text)
}

fn password(store: &Store) -> SecretContent {
    written(store).map_or(SecretContent::Random, |password| SecretContent::Written { password })
}

/// The image that the team chose where it is not the usual one, with the reason why it stays.
fn image(store: &Store, usual: String) -> (String, Option<String>) {
    match &store.image {
        Some(image) if checked::is_image(&image.value) => {
            let place = image.evidence.first().map(|place| format!("{}:{}", place.file, place.line));
            (
                image.value.clone(),
                Some(format!("The image of the development stack ({}).", place.unwrap_or_default())),
            )
        }
        _ => (usual, None),
    }
}

/// Where the official image has its data in a version.
fn data(kind: StoreKind, version: Option<Version>) -> String {
    kind.software().and_then(|software| software.data_folder(version)).unwrap_or_default().to_owned()
}

fn version(store: &Store, usual: &str) -> String {
    let version = store.version.as_ref().map(|version| version.value.as_str());
    version.filter(|version| checked::is_version(version)).unwrap_or(usual).to_owned()
}

/// The names that development uses, else the project's.
fn user_and_database(passes: &Passes<'_>, store: &Store) -> (String, String) {
    let name = |fact: Option<&plimsoll_survey::Fact<String>>| {
        let usable = fact.map(|fact| fact.value.clone()).filter(|name| checked::is_identifier(name));
        usable.unwrap_or_else(|| passes.project.replace('-', "_"))
    };
    (name(store.user.as_ref()), name(store.database.as_ref()))
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call for each store; a struct would name the same eight again"
)]
fn unit(
    passes: &Passes<'_>,
    kind: &'static str,
    name: &str,
    image: String,
    store: StoreTexts,
    limits: &crate::policy::ServiceLimits,
    secrets: &[&str],
    grace: u32,
) -> Unit {
    Unit {
        name: name.to_owned(),
        kind,
        image,
        dockerfile: None,
        build_arguments: Vec::new(),
        uid: passes.policy.store_uid,
        depends_on: Vec::new(),
        networks: vec!["data"],
        published: None,
        environment: Vec::new(),
        secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
        tmpfs: Vec::new(),
        volumes: Vec::new(),
        command: None,
        init: None,
        metrics: None,
        probe: None,
        grace,
        single: true,
        limits: limits.clone(),
        store: Some(store),
        of: String::new(),
        language: "",
        heap_megabytes: 0,
        node_options: String::new(),
        own_image: None,
    }
}
