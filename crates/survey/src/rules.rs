//! What the files do not say, or say in a way that cannot be taken as it is: one rule for each kind of gap.
//!
//! An identifier stays, and so does its meaning: people search for it and programs compare it. docs/rules.md lists them.

plimsoll_source::rules! {
    "survey";
    UNREAD_FILE: "unread-file", "A file cannot be read or parsed: facts from it are missing";
    ODD_MANIFEST: "odd-manifest", "A package.json holds what npm does not read, or a key twice";
    NOTHING_TO_DEPLOY: "nothing-to-deploy", "No program and no page was found that can be deployed";
    NOT_RECOGNISED: "not-recognised", "A package is built or started, and nothing known serves or runs it";
    NOT_GENERATED: "not-generated", "A language, a framework or a store is known, and nothing is generated for it yet";
    SERVER_NOT_FOUND: "server-not-found", "A server is meant by the files, and no application or settings of it were found";
    LEFT_OUT: "left-out", "Something was found that does not belong into the stack";
    DEVELOPMENT_SERVICE: "development-service", "A service of the development compose file is not in the stack";
    DEVELOPMENT_COMMAND: "development-command", "Development starts an image with another command than its own";
    HOSTING_SETTINGS: "hosting-settings", "A file for a host of sites holds rules that the front does not have";
    OTHER_PLATFORM: "other-platform", "A package is built for, or deployed to, another platform";
    EMPTY_WORKSPACE: "empty-workspace", "A pattern of the workspace names no package";
    RUNTIME_VERSION: "runtime-version", "The version of Node.js or Python cannot be read, or no base has it";
    NO_LOCK_FILE: "no-lock-file", "Without a lock file two builds may install different packages";
    UNPINNED_MANAGER: "unpinned-manager", "The version of the package manager is not pinned";
    UNPINNED_PACKAGES: "unpinned-packages", "Packages of a list have no exact version";
    ADDED_CONSTRAINT: "added-constraint", "A version that no file names is held so that the program works";
    TWO_PACKAGE_LISTS: "two-package-lists", "Two lists of packages differ, and both are installed";
    LOCAL_REQUIREMENT: "local-requirement", "A list of packages installs from a folder of the repository";
    OUTDATED_PACKAGE: "outdated-package", "A package is too old for the version of its language";
    NO_BUILD_SCRIPT: "no-build-script", "Files have to be built, and no script says how";
    BUILD_UNCLEAR: "build-unclear", "What a build makes, or how it is served, had to be chosen";
    BUILD_OUTPUT: "build-output", "A build writes outside of its own folder";
    BUILD_NEEDS_DATABASE: "build-needs-database", "A build script works on a database, and a build has none";
    BUILD_PLACEHOLDERS: "build-placeholders", "A build loads modules that need variables: placeholders stand in for them";
    CUSTOM_SERVER: "custom-server", "A framework is started by a server of the project's own";
    PRODUCTION_SERVER: "production-server", "The server for production is another one than the project's, or is added";
    ONE_PROCESS: "one-process", "A program has to run as one process, and its command starts several";
    NO_TESTS: "no-tests", "A build can run no tests";
    NO_START_COMMAND: "no-start-command", "No script starts the service without a shell";
    NO_PORT: "no-port", "The port that a service listens on is not known";
    NO_HEALTH_ROUTE: "no-health-route", "No route says that the process works";
    NO_READY_ROUTE: "no-ready-route", "No route says that the stores answer";
    SIGTERM_NOT_HANDLED: "sigterm-not-handled", "A service does not finish its work when it is stopped";
    LOOPBACK_ONLY: "loopback-only", "A service listens where nobody outside of its container reaches it";
    ALLOWED_HOSTS: "allowed-hosts", "A program refuses requests to the names that production uses";
    DEBUG_ON: "debug-on", "Debugging is on where nothing is set";
    DEVELOPMENT_VALUES: "development-values", "A value or a configuration of development may reach production";
    ENV_FILE_LEFT_OUT: "env-file-left-out", "A file of variables is a part of the repository, and no image gets it";
    SECRET_IN_SOURCE: "secret-in-source", "A secret stands in the source";
    SECRET_NOT_FROM_FILE: "secret-not-from-file", "A secret is read from the environment alone";
    RANDOM_KEY: "random-key", "A signing key is drawn anew by each process";
    PROCESS_NOT_RUN: "process-not-run", "A process of the repository's files is not in the stack";
    STEP_NOT_RUN: "step-not-run", "A command that belongs to a start, a release or a build is not run";
    SCHEDULE_IN_SERVER: "schedule-in-server", "Work at times starts inside of a server, once in each replica";
    MIGRATIONS_NOT_APPLIED: "migrations-not-applied", "Nothing applies the migrations, or makes the tables, in production";
    MIGRATION_HEADS: "migration-heads", "The migrations have several last revisions";
    TABLES_AT_START: "tables-at-start", "Tables are made before the first start, and never changed";
    STORE_ADDRESS_FIXED: "store-address-fixed", "The address of a store stands in the program";
    STORE_ADDRESS_UNKNOWN: "store-address-unknown", "How a program learns the address of a store is not known";
    STORE_VERSION_UNKNOWN: "store-version-unknown", "No file names the version of a store";
    UNUSED_STORE: "unused-store", "A store runs in development, and no service is known to use it";
    DATA_NOT_KEPT: "data-not-kept", "Data is written to a place that no volume keeps";
    DATABASE_IN_REPOSITORY: "database-in-repository", "A database file is a part of the repository, and production begins with an empty one";
    FILES_NOT_SERVED: "files-not-served", "Static files or uploads are there, and nobody hands them out";
    ROUTES_INCOMPLETE: "routes-incomplete", "Routes are computed: the list of them is not whole";
}
