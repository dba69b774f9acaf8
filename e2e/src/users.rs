//! Other identities in the cluster than the administrator's.

use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;

use crate::cluster::Cluster;
use crate::kubeconfig::{self, Credentials};

/// Longer than any run.
const TOKEN_SECONDS: i64 = 12 * 60 * 60;

/// Somebody who can log in.
#[derive(Clone)]
pub struct User {
    /// Their kubeconfig file.
    pub kubeconfig: PathBuf,
    /// A client that is them.
    pub client: kube::Client,
}

impl Cluster {
    /// A user with a client certificate; in the group `system:masters` they may do everything,
    /// in none they have the rights that role bindings give them.
    pub async fn user(&self, name: &str, group: Option<&str>) -> Result<User> {
        let own = self
            .own
            .as_ref()
            .context("only a cluster that we started gives out certificates")?;
        let identity = own.authority.client(&file_name(name), name, group)?;
        self.login(name, &Credentials::Certificate(&identity)).await
    }

    /// A service account that exists, by a token of its own.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<User> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("no token for the service account {namespace}/{name}"))?;
        let token = answer
            .status
            .context("the token request came back without a token")?
            .token;
        self.login(&format!("{namespace}-{name}"), &Credentials::Token(&token))
            .await
    }

    async fn login(&self, name: &str, credentials: &Credentials<'_>) -> Result<User> {
        let kubeconfig = self
            .run
            .data()
            .join(format!("{}.kubeconfig", file_name(name)));
        kubeconfig::write_like(&kubeconfig, self.kubeconfig(), credentials)?;
        let client = kubeconfig::client(&kubeconfig).await?;
        Ok(User { kubeconfig, client })
    }
}

fn file_name(user: &str) -> String {
    user.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}
