//! What a source needs besides its own object: Secrets, tokens, the labels of namespaces. Each is kept
//! up to date from when it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use kube::{Client, ResourceExt};
use tokio::sync::mpsc;

use crate::api::{AuthSpec, MetricsSource, SecretKey, TlsSpec};
use crate::controller::kept::{Keeper, State};
use crate::controller::namespaces::Namespaces;
use crate::controller::secrets::{self, Content};
use crate::controller::tokens::{self, Token};
use crate::prometheus::access::{Access, Believe};

/// The key of a bearer token where the source names none.
const TOKEN_KEY: &str = "token";
/// The key of authorities where the source names none.
const CA_KEY: &str = "ca.crt";

/// Something that was kept has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A Secret: the sources that name it.
    Secret(String),
    /// The token of an audience, for the first time or no more: the sources that name it.
    Token(String),
    /// The token of an audience was replaced by a newer one, which concerns no policy.
    NewerToken,
    /// The labels of a namespace, or of any.
    Namespace(Option<String>),
}

/// Keeps what sources need.
pub struct Grants {
    /// The Secrets, and the namespace that they are in, where that is known.
    secrets: Option<(String, Keeper<Content>)>,
    tokens: Keeper<Token>,
    namespaces: Namespaces,
}

impl Grants {
    /// Keeps nothing yet. Secrets are those of `namespace`. What changes is sent to `changes`.
    pub fn new(
        client: &Client,
        namespace: Option<String>,
        changes: mpsc::UnboundedSender<Change>,
    ) -> Self {
        // an error says that nobody listens any more: we are stopping
        let tell = move |change| drop(changes.send(change));
        let (of_secrets, of_tokens, of_namespaces) = (tell.clone(), tell.clone(), tell);
        Self {
            secrets: namespace.map(|namespace| {
                let changed = Arc::new(move |name, _| of_secrets(Change::Secret(name)));
                let keeper = secrets::keeper(client.clone(), &namespace, changed);
                (namespace, keeper)
            }),
            tokens: tokens::keeper(
                client.clone(),
                Arc::new(move |audience, news| {
                    of_tokens(if news {
                        Change::Token(audience)
                    } else {
                        Change::NewerToken
                    });
                }),
            ),
            namespaces: Namespaces::new(
                client.clone(),
                Arc::new(move |name, _| of_namespaces(Change::Namespace(name))),
            ),
        }
    }

    /// Waits until what a source needs is known or cannot be had, but not for long.
    pub async fn settled(&self, source: &MetricsSource) {
        let secrets = async {
            if let Some((_, secrets)) = &self.secrets {
                join_all(secrets_of(source).map(|name| secrets.settled(name))).await;
            }
        };
        let token = async {
            if let Some(audience) = audience_of(source) {
                self.tokens.settled(audience).await;
            }
        };
        let namespaces = async {
            if selects(source) {
                self.namespaces.settled().await;
            }
        };
        tokio::join!(secrets, token, namespaces);
    }

    /// Lets go of what no source needs any more.
    pub fn retain(&self, sources: &[Arc<MetricsSource>]) {
        if let Some((_, secrets)) = &self.secrets {
            let named: BTreeSet<&str> = sources.iter().flat_map(|s| secrets_of(s)).collect();
            secrets.retain(&named);
        }
        let audiences: BTreeSet<&str> = sources.iter().filter_map(|s| audience_of(s)).collect();
        self.tokens.retain(&audiences);
        self.namespaces.keep(sources.iter().any(|s| selects(s)));
    }

    /// Whether a source allows a namespace.
    ///
    /// # Errors
    ///
    /// A sentence about why that cannot be told.
    pub fn allows(&self, source: &MetricsSource, namespace: &str) -> Result<bool, String> {
        let labels = if selects(source) {
            self.namespaces.labels(namespace).map_err(|why| {
                let name = source.name_any();
                format!("the MetricsSource {name} chooses namespaces by spec.allowedNamespaces.selector, and their labels cannot be read: {why}")
            })?
        } else {
            BTreeMap::new()
        };
        Ok(source.spec.allows(namespace, &labels))
    }

    /// Credentials and trust of a source.
    ///
    /// # Errors
    ///
    /// A sentence about what is missing and what to do.
    pub fn access(&self, source: &MetricsSource) -> Result<Access, String> {
        let spec = &source.spec.prometheus;
        let access = match &spec.auth {
            None => Access::default(),
            Some(auth) => self.authorization(source, auth)?,
        };
        let believe = match &spec.tls {
            Some(TlsSpec {
                ca_secret: Some(secret),
                insecure_skip_verify: false,
            }) => {
                let authorities = self.wanted(source, "tls.caSecret").value(secret, CA_KEY)?;
                Believe::Only(authorities.into())
            }
            Some(tls) if tls.insecure_skip_verify => Believe::Anyone,
            _ => Believe::WellKnown,
        };
        Ok(access.believing(believe))
    }

    fn authorization(&self, source: &MetricsSource, auth: &AuthSpec) -> Result<Access, String> {
        if let Some(secret) = &auth.bearer_token_secret {
            let wanted = self.wanted(source, "auth.bearerTokenSecret");
            let key = key_of(secret, TOKEN_KEY);
            let token = wanted.line_of(&secret.name, key)?;
            Access::bearer(&token).ok_or_else(|| wanted.unfit(&secret.name, key))
        } else if let Some(secret) = &auth.basic_auth_secret {
            let wanted = self.wanted(source, "auth.basicAuthSecret");
            let name = wanted.line_of(&secret.name, "username")?;
            let password = wanted.line_of(&secret.name, "password")?;
            Access::basic(&name, &password).ok_or_else(|| wanted.unfit(&secret.name, "username"))
        } else if let Some(token) = &auth.service_account_token {
            self.own_token(source, &token.audience)
        } else {
            Err(format!(
                "the MetricsSource {} sets none of bearerTokenSecret, basicAuthSecret, serviceAccountToken in spec.prometheus.auth",
                source.name_any()
            ))
        }
    }

    fn own_token(&self, source: &MetricsSource, audience: &str) -> Result<Access, String> {
        if is_api_server(audience) {
            return Err(format!(
                "the MetricsSource {} cannot be asked: spec.prometheus.auth.serviceAccountToken.audience {audience:?} is the API server's, whose tokens are sent nowhere else: write the audience that the metrics server expects",
                source.name_any()
            ));
        }
        let why = match self.tokens.get(audience) {
            State::Known(token) => match Access::bearer(token.expose()) {
                Some(access) => return Ok(access),
                None => "it cannot be sent".to_owned(),
            },
            State::Failed(why) => why,
            State::Unread => "it has not been given yet".to_owned(),
        };
        Err(format!(
            "the MetricsSource {} cannot be asked: spec.prometheus.auth.serviceAccountToken wants a token of the operator's service account for the audience {audience:?}, which cannot be had: {why}",
            source.name_any()
        ))
    }

    fn wanted<'a>(&'a self, source: &'a MetricsSource, field: &'static str) -> Wanted<'a> {
        Wanted {
            grants: self,
            source,
            field,
        }
    }
}

/// A value of a Secret, as a field of a source wants it.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    grants: &'a Grants,
    source: &'a MetricsSource,
    field: &'static str,
}

impl Wanted<'_> {
    fn value(&self, secret: &SecretKey, default: &str) -> Result<Vec<u8>, String> {
        self.value_of(&secret.name, key_of(secret, default))
    }

    fn value_of(&self, secret: &str, key: &str) -> Result<Vec<u8>, String> {
        let begin = self.begin();
        let Some((namespace, secrets)) = &self.grants.secrets else {
            return Err(format!(
                "{begin} names the Secret {secret}, and the operator does not know its own namespace: run it with --secrets-namespace"
            ));
        };
        let at = format!("the Secret {secret} in the namespace {namespace}");
        match secrets.get(secret) {
            State::Known(Some(data)) => data.get(key).map(<[u8]>::to_vec).ok_or_else(|| {
                format!("{begin} names the key {key} of {at}, which lacks it: add the key, or name another")
            }),
            State::Known(None) => Err(format!(
                "{begin} names {at}, and there is none: create it with the key {key}, or name another"
            )),
            State::Failed(why) => Err(format!("{begin} names {at}, which cannot be read: {why}")),
            State::Unread => Err(format!("{begin} names {at}, which has not been read yet")),
        }
    }

    fn line_of(&self, secret: &str, key: &str) -> Result<String, String> {
        line(&self.value_of(secret, key)?).ok_or_else(|| self.unfit(secret, key))
    }

    /// Says what a value must be, and nothing of what it is.
    fn unfit(&self, secret: &str, key: &str) -> String {
        let begin = self.begin();
        let fits = match key {
            "username" => "one line of text without a colon",
            "password" => "one line of text",
            _ => "one line of visible ASCII characters, without spaces",
        };
        format!(
            "{begin} names the key {key} of the Secret {secret}, which cannot be used: it must be {fits}"
        )
    }

    fn begin(&self) -> String {
        let (name, field) = (self.source.name_any(), self.field);
        format!("the MetricsSource {name} cannot be asked: spec.prometheus.{field}")
    }
}

/// The one line of a text, without the newline that editors leave at its end.
fn line(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn key_of<'a>(secret: &'a SecretKey, default: &'a str) -> &'a str {
    secret.key.as_deref().unwrap_or(default)
}

/// The Secrets that a source names.
pub fn secrets_of(source: &MetricsSource) -> impl Iterator<Item = &str> {
    let spec = &source.spec.prometheus;
    let auth = spec.auth.as_ref();
    let ca = spec.tls.as_ref().and_then(|tls| tls.ca_secret.as_ref());
    let bearer = auth.and_then(|auth| auth.bearer_token_secret.as_ref());
    let basic = auth.and_then(|auth| auth.basic_auth_secret.as_ref());
    [
        ca.map(|secret| secret.name.as_str()),
        bearer.map(|secret| secret.name.as_str()),
        basic.map(|secret| secret.name.as_str()),
    ]
    .into_iter()
    .flatten()
}

/// Whether a token for an audience would be the operator's own right to the cluster.
fn is_api_server(audience: &str) -> bool {
    let host = audience
        .split_once("://")
        .map_or(audience, |(_, host)| host);
    let rest = host.strip_prefix("kubernetes.default");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '/']))
}

/// The audience of the token that a source wants.
pub fn audience_of(source: &MetricsSource) -> Option<&str> {
    let auth = source.spec.prometheus.auth.as_ref()?;
    let token = auth.service_account_token.as_ref()?;
    Some(&token.audience)
}

/// Whether a source chooses namespaces by their labels.
pub fn selects(source: &MetricsSource) -> bool {
    let allowed = source.spec.allowed_namespaces.as_ref();
    allowed.is_some_and(|allowed| allowed.selector.is_some())
}

#[cfg(test)]
mod tests;
