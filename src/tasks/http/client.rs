//! HTTP clients, made when they are first needed: flows without `http` pay nothing for them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, Client};

use crate::model::{Failure, FailureKind};

/// How long a connection may take to be made.
pub const CONNECT: Duration = Duration::from_secs(30);

/// What a client trusts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Nobody: for `http:` alone. The system's certificates are not even read.
    Nobody,
    /// The system's certificates.
    System,
    /// These too (PEM).
    Also(Vec<u8>),
}

impl Trust {
    /// The system's certificates, and those in a file.
    ///
    /// # Errors
    /// `system`: the file cannot be read.
    pub fn with_file(path: &Path) -> Result<Self, Failure> {
        std::fs::read(path).map(Self::Also).map_err(|error| {
            let message = format!("`ca`: `{}` cannot be read: {error}", path.display());
            Failure::new(FailureKind::System, message)
        })
    }
}

/// The clients that have been made. Each keeps its connections for the next request.
#[derive(Debug, Default)]
pub struct Clients(Mutex<BTreeMap<Trust, Client>>);

impl Clients {
    /// The client with that trust.
    ///
    /// # Errors
    /// `system`: the certificates cannot be used.
    pub fn get(&self, trust: &Trust) -> Result<Client, Failure> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(trust) {
            return Ok(client.clone());
        }
        let client = make(trust).map_err(|error| {
            let message = format!("no HTTP client can be made: {}", innermost(&error));
            Failure::new(FailureKind::System, message)
        })?;
        clients.insert(trust.clone(), client.clone());
        Ok(client)
    }
}

fn make(trust: &Trust) -> reqwest::Result<Client> {
    // Whoever was first in this process has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("jobrunner/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT);
    let builder = match trust {
        Trust::Nobody => builder.tls_certs_only([]),
        Trust::System => builder,
        Trust::Also(pem) => builder.tls_certs_merge(Certificate::from_pem_bundle(pem)?),
    };
    builder.build()
}

/// What is at the bottom of an error: the reason, without the layers and without the URL.
#[must_use]
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}
