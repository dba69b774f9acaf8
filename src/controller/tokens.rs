//! Tokens of the operator's own service account, each for one audience and for an hour at most: asked
//! for when a source names the audience, and again well before the end.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use super::kept::{Changed, Keeper, Told};
use super::secrets::refused;

/// For how long a token is asked; the server may give it for less, or for more.
const LIFETIME: i64 = 3600;
/// The least that an API server gives, in seconds: for a token that is dropped at once.
const SHORTEST: i64 = 600;
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The waits after failures: from this, doubled each time, to that.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A token. It has no `Debug`, so that it cannot be logged by accident.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// What is sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Keeps tokens by audience.
pub fn keeper(client: Client, changed: Changed<String>) -> Keeper<Token> {
    Keeper::new(move |audience, told| {
        renew(client.clone(), audience, told, Arc::clone(&changed)).boxed()
    })
}

/// A token and how long it is valid, by the clock of whoever gave it.
struct Given {
    token: Token,
    lifetime: Duration,
}

async fn renew(client: Client, audience: String, told: Told<Token>, changed: Changed<String>) {
    let mut retry = RETRY.0;
    let mut valid_until: Option<Instant> = None;
    loop {
        let asked = Instant::now();
        let given = timeout(TIMEOUT, ask(&client, &audience)).await;
        let given = given.unwrap_or_else(|_| Err("the API server does not answer".to_owned()));
        let wait = match given {
            Ok(Given { token, lifetime }) => {
                retry = RETRY.0;
                valid_until = Some(asked + lifetime);
                let first = told.known(token);
                changed(audience.clone(), first);
                lifetime.mul_f64(0.8)
            }
            Err(why) => {
                tracing::warn!(
                    audience,
                    why,
                    "no token for an audience; it is asked for again"
                );
                let over = valid_until.is_none_or(|until| until <= Instant::now());
                if over && told.failed(why) {
                    changed(audience.clone(), true);
                }
                let wait = retry;
                retry = (retry * 2).min(RETRY.1);
                wait
            }
        };
        sleep(wait).await;
    }
}

/// A token for an audience, or why there is none.
async fn ask(client: &Client, audience: &str) -> Result<Given, String> {
    let (namespace, name) = own_account(client).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
    // asked for no audience, the API server grants its own and says which those are
    let its_own = request(&accounts, &name, vec![], SHORTEST).await?;
    if its_own.spec.audiences.iter().any(|own| own == audience) {
        return Err(
            "it is an audience of the API server, whose tokens are sent nowhere else: write the audience that the metrics server expects"
                .to_owned(),
        );
    }
    let answer = request(&accounts, &name, vec![audience.to_owned()], LIFETIME).await?;
    // what was granted; a time would have to be held against a clock that is not ours
    let granted = answer.spec.expiration_seconds.unwrap_or(LIFETIME);
    let token = answer.status.map(|status| status.token);
    let token = token.filter(|token| !token.is_empty());
    Ok(Given {
        token: Token(token.ok_or("the API server gave none")?.into()),
        lifetime: Duration::from_secs(u64::try_from(granted).unwrap_or_default().max(1)),
    })
}

async fn request(
    accounts: &Api<ServiceAccount>,
    name: &str,
    audiences: Vec<String>,
    seconds: i64,
) -> Result<TokenRequest, String> {
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences,
            expiration_seconds: Some(seconds),
            bound_object_ref: None,
        },
        ..TokenRequest::default()
    };
    accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .map_err(|err| refused(&err))
}

/// Namespace and name of the service account that we are: the API server tells everyone who they are.
async fn own_account(client: &Client) -> Result<(String, String), String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .map_err(|err| refused(&err))?;
    let user = review.status.and_then(|status| status.user_info);
    let user = user.and_then(|user| user.username).unwrap_or_default();
    let account = user
        .strip_prefix("system:serviceaccount:")
        .and_then(|account| account.split_once(':'));
    let (namespace, name) = account.ok_or_else(|| {
        format!("the operator is logged in as {user:?}, which is no service account: run it in a pod, or with a token of one")
    })?;
    Ok((namespace.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests;
