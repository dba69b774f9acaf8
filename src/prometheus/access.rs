//! What it takes to be let in by a source, and whom to believe that it is the source.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prometheus_http_query::reqwest::header::HeaderValue;

use super::answer::Answer;

/// The shortest secret that is looked for in what a server says: a shorter one is in many words.
const SHORTEST: usize = 4;

/// Credentials and trust. Nothing of it is shown by `Debug`, or left in what a server said.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The header `Authorization`.
    authorization: Option<HeaderValue>,
    /// What must not be seen anywhere.
    secrets: Vec<String>,
    believe: Believe,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Believe {
    /// Those of the authorities that the machine knows.
    #[default]
    WellKnown,
    /// Those of these authorities (PEM), and of no others.
    Only(Arc<[u8]>),
    /// Anyone's: whoever is on the way can answer in the server's place.
    Anyone,
}

impl Access {
    /// With a bearer token; `None` where it cannot be sent: it must be visible ASCII without spaces.
    pub fn bearer(token: &str) -> Option<Self> {
        let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        Self::by(&format!("Bearer {token}"), &[token]).filter(|_| visible)
    }

    /// With a name and a password; `None` where they cannot be sent: no control characters, and no
    /// colon in the name.
    pub fn basic(name: &str, password: &str) -> Option<Self> {
        if name.contains(':') || name.chars().chain(password.chars()).any(char::is_control) {
            return None;
        }
        let encoded = STANDARD.encode(format!("{name}:{password}"));
        Self::by(&format!("Basic {encoded}"), &[password, &encoded])
    }

    fn by(authorization: &str, secrets: &[&str]) -> Option<Self> {
        let mut authorization = HeaderValue::from_str(authorization).ok()?;
        authorization.set_sensitive(true);
        let long_enough = secrets.iter().filter(|secret| secret.len() >= SHORTEST);
        Some(Self {
            authorization: Some(authorization),
            secrets: long_enough.map(|secret| (*secret).to_owned()).collect(),
            believe: Believe::default(),
        })
    }

    /// The same, believing these.
    #[must_use]
    pub fn believing(self, believe: Believe) -> Self {
        Self { believe, ..self }
    }

    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    pub(super) fn believe(&self) -> &Believe {
        &self.believe
    }

    /// Takes a secret that a server repeats out of what it said.
    pub(super) fn hide_in(&self, answer: &mut Answer) {
        if let Some(detail) = &answer.detail
            && self.is_in(detail)
        {
            answer.detail = Some(Arc::from(HIDDEN));
        }
    }

    /// The same for a text.
    pub(super) fn hide(&self, said: &mut Option<String>) {
        if said.as_deref().is_some_and(|said| self.is_in(said)) {
            *said = Some(HIDDEN.to_owned());
        }
    }

    /// Also where it is cut off: what is shown ends somewhere.
    fn is_in(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| {
            let begin = secret.char_indices().nth(SHORTEST * 2);
            let begin = begin.map_or(secret.as_str(), |(end, _)| &secret[..end]);
            text.contains(begin)
        })
    }
}

/// Instead of what a server said with a secret in it.
const HIDDEN: &str = "the server repeats our credentials: what it said is not shown";

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("authorization", &self.authorization)
            .field("believe", &self.believe)
            .finish_non_exhaustive()
    }
}
