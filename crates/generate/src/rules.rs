//! Why a service is not in the stack, and what a person should know of the stack: one rule for each kind of gap.
//!
//! An identifier stays, and so does its meaning: people search for it and programs compare it. docs/rules.md lists them.

plimsoll_source::rules! {
    "generate";
    NOTHING_TO_DEPLOY: "nothing-to-deploy", "The survey found nothing that a stack can be made of";
    UNANSWERED_QUESTION: "unanswered-question", "A question has no default and was not answered";
    NO_START_COMMAND: "no-start-command", "What starts a service in production is not known";
    LOOPBACK_ONLY: "loopback-only", "A service listens where nobody outside of its container reaches it";
    NO_INSTALL: "no-install", "What installs the packages of a service is not known";
    PYTHON_VERSION: "python-version", "A service demands a version of Python that no stack runs on";
    NO_SECRET_READER: "no-secret-reader", "Nothing is known in an image that reads secrets from files";
    UNUSABLE_NAME: "unusable-name", "A text of the repository cannot stand in a generated file";
    SETTINGS_NOT_A_TEMPLATE: "settings-not-a-template", "Settings of a page cannot be written as a template";
    OTHER_VERSION: "other-version", "A stand-in for an image has another version";
    IMAGE_REPLACED: "image-replaced", "The image of a store is another one than in development";
    NO_REPLICA_SET: "no-replica-set", "MongoDB runs without a replica set: transactions are refused";
    STORE_ADDRESS_UNKNOWN: "store-address-unknown", "How a service learns the address of a store is not known";
    STORE_WITHOUT_PASSWORD: "store-without-password", "A store asks nobody for a password, since a service reads none";
    ADDRESS_IN_PROGRAM: "address-in-program", "An address or a password of a store stands in the program";
    ADDRESS_ASSUMED: "address-assumed", "A variable is taken for the address of a service of the stack";
    VARIABLE_NOT_SET: "variable-not-set", "A variable is not set, since its value would hold a password";
    LOCAL_DEFAULT: "local-default", "A default names the visitor's own machine";
    LOCAL_NAMES_ONLY: "local-names-only", "A default allows local names alone";
    BUILD_VARIABLE: "build-variable", "A build gets another value than development has";
    PAGES_CALL_ELSEWHERE: "pages-call-elsewhere", "Pages call another host than the one they come from";
    INLINE_CODE: "inline-code", "Inline scripts or styles weaken the Content-Security-Policy";
    PICTURES_FROM_ANYWHERE: "pictures-from-anywhere", "The Content-Security-Policy lets pictures come from every host";
    CHECKS_NOT_RUN: "checks-not-run", "Checks of the project are not a condition of the image";
    MIGRATIONS_NOT_APPLIED: "migrations-not-applied", "Migrations cannot be run in production";
    IMAGE_WITH_SHELL: "image-with-shell", "A program starts others: its image has a shell";
    DEVELOPMENT_PACKAGES: "development-packages", "A command needs a package for development when it runs";
    WRITES_NOT_KEPT: "writes-not-kept", "A program writes to a place that no volume can keep";
    WRITES_UNKNOWN: "writes-unknown", "Where an image of the team writes is not known";
    USER_ASSUMED: "user-assumed", "A Dockerfile names no user but root: another one is taken";
    SHELL_ASSUMED: "shell-assumed", "An image is taken to have a shell";
    NO_HEALTHCHECK: "no-healthcheck", "A Dockerfile has no HEALTHCHECK: readiness is not checked";
    NO_EGRESS: "no-egress", "A service has no way out of the stack";
    OWN_DOCKERIGNORE: "own-dockerignore", "A .dockerignore of the team decides whether a build sees the secrets";
    UPLOAD_LIMIT: "upload-limit", "A service takes files and names no limit";
    PATHS_UNKNOWN: "paths-unknown", "Which paths belong to a service is not known";
    PATH_TAKEN: "path-taken", "A path belongs to another service already";
    WEBSOCKETS_UNREACHED: "websockets-unreached", "The path of a service's websockets is a page of a site";
    PORT_OF_ITS_OWN: "port-of-its-own", "A service is published at a port of its own";
    CERTIFICATE_NEEDED: "certificate-needed", "TLS needs a certificate and a key that a person brings";
}
