//! One TLS stack: rustls with the ring provider.

/// Makes ring the process's cryptography. Call it first thing in every `main` and in every test that
/// builds an HTTP client: without a provider, building one panics. Calling it again does nothing.
pub fn install() {
    // an error says that a provider is installed already, which is what is wanted
    let _ = rustls::crypto::ring::default_provider().install_default();
}
