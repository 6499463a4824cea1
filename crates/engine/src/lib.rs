//! The Docker Engine API (1.41 and up), the few calls Plimsoll uses, with typed errors.
