//! OCI types, content store, layers, hand-over to an engine, registry client.
