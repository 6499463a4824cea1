//! Measures a running stack against its claims and writes the certificate.
