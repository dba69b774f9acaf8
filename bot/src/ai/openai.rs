//! Any endpoint that speaks the `OpenAI` protocol.
//!
//! Each attempt takes a key anew, and counts it: a retry costs quota as the first try does, unless it could not be
//! sent. What the API says about a key (refused, limited, out of quota) is no fault of the API: the next key is tried
//! within the same attempt, and the circuit breaker hears nothing of it.
//!
//! A 403 may be about the key or about the question, and few servers say which. Where it does not name the key, the
//! other keys bear witness: one of them is answered, so it was the key; none is, so it was the question, and
//! nobody can put all keys away by asking it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode, Url};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::keyring::{Keyring, NoKey, Reservation};
use super::keys::Verdict;
use super::prompt::Prompt;
use super::wire::{self, Request, Tokens, Withheld};
use super::{AiError, Silence};
use crate::config::AiConfig;
use crate::later;
use crate::outbound::{Answer, CallError, Dependency, Fault, HttpClient, HttpLimits};
use crate::store::now_ms;

/// The endpoint with its keys.
pub(crate) struct OpenAi {
    http: HttpClient,
    url: Url,
    model: String,
    small_model: String,
    keyring: Arc<Keyring>,
    dependency: Dependency,
}

/// What one request with one key came to.
enum Told {
    Answer(wire::Answer),
    /// Not with this key.
    Key(Verdict),
    /// Not with this key, or not this question.
    Forbidden(Fault),
    /// Not this question, whoever asks it.
    Withheld(Withheld),
}

/// What the attempts of one question leave beside their answer. None of it is time that the model took.
#[derive(Default)]
struct Aside {
    /// Why there is no answer, where that is no fault of the model's: no key was left to ask with, or the
    /// question is one that it does not answer.
    why: OnceLock<Silence>,
    /// What the last request cost, on its way into the store.
    settling: Mutex<Option<JoinHandle<()>>>,
}

impl OpenAi {
    pub(super) fn new(
        config: &AiConfig,
        base: &str,
        keyring: Arc<Keyring>,
        dependency: Dependency,
    ) -> Result<Self, AiError> {
        let url = format!("{}/chat/completions", base.trim_end_matches('/'));
        let url: Url = url.parse().map_err(|_| AiError::Url)?;
        let http = HttpClient::new(&url, HttpLimits::default()).map_err(AiError::Client)?;
        let model = config.model.clone().unwrap_or_default();
        Ok(Self {
            http,
            url,
            small_model: config.small_model.clone().unwrap_or_else(|| model.clone()),
            model,
            keyring,
            dependency,
        })
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Asks, and is back by `deadline`.
    pub(super) async fn ask(&self, prompt: &Prompt, deadline: Instant) -> Result<String, Silence> {
        let aside = Aside::default();
        let called = self
            .dependency
            .call(deadline, || self.attempt(prompt, &aside))
            .await;
        let Aside { why, settling } = aside;
        if let Some(settling) = settling
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            later::soon(settling, deadline).await;
        }
        if let Some(silence) = why.into_inner() {
            return Err(silence);
        }
        match called {
            Ok(answer) => Ok(answer),
            Err(CallError::Open { retry_in }) => Err(Silence::Unwell { retry_in }),
            Err(CallError::Limited { retry_in }) => Err(Silence::Limited { retry_in }),
            Err(CallError::Busy) => Err(Silence::Busy),
            Err(CallError::Deadline) => Err(Silence::Late),
            Err(CallError::Fault(fault)) => {
                tracing::warn!(%fault, "the model did not answer");
                Err(Silence::Failed)
            }
        }
    }

    /// An attempt that finds no key has not asked, so it is none that the circuit breaker may go by.
    async fn attempt(&self, prompt: &Prompt, aside: &Aside) -> Result<String, Fault> {
        // each key is asked once at most, however short the rest is that the API asks for
        let mut from = 0;
        let mut forbidden = Vec::new();
        loop {
            let tokens = prompt.most_tokens();
            let reservation = match self.keyring.reserve(from, tokens, now_ms()).await {
                Ok(reservation) => reservation,
                Err(why) => {
                    if let Some((_, fault)) = forbidden.pop() {
                        return Err(fault);
                    }
                    let _ = aside.why.set(silence(why)); // such an attempt is the last
                    return Err(Fault::unasked("all keys rest"));
                }
            };
            match self.request(prompt, &reservation, aside).await? {
                Told::Answer(answer) => {
                    for (key, _) in forbidden {
                        self.keyring.learn(key, Verdict::Refused, now_ms());
                    }
                    return Ok(answer.text);
                }
                Told::Key(verdict) => {
                    let key = self.keyring.name(&reservation);
                    tracing::warn!(key, ?verdict, "the API does not take the key");
                }
                Told::Forbidden(fault) => forbidden.push((reservation.key, fault)),
                Told::Withheld(_) => {
                    let _ = aside.why.set(Silence::Withheld); // the last one too
                    return Err(Fault::refused("the question is withheld"));
                }
            }
            from = reservation.key + 1;
        }
    }

    /// One request with one key, counted out when there is an answer of whatever kind.
    async fn request(
        &self,
        prompt: &Prompt,
        reservation: &Reservation,
        aside: &Aside,
    ) -> Result<Told, Fault> {
        let model = if prompt.small {
            &self.small_model
        } else {
            &self.model
        };
        let mut request = self.http.request(Method::POST, self.url.clone());
        request = request.json(&Request::new(model, prompt));
        if let Some(secret) = self.keyring.secret(reservation) {
            request = request.bearer_auth(secret.expose_secret());
        }
        let answer = match self.http.send(request).await {
            Ok(answer) => answer,
            // without a whole answer the request stays counted as it was reserved: nobody knows what it cost
            Err(fault) => {
                if fault.unsent {
                    let _ = self.keyring.release(reservation).await; // a panic in there has been reported
                }
                return Err(fault);
            }
        };
        let told = judge(answer);
        let (tokens, verdict) = match &told {
            // who does not say what it cost is taken to have cost all that was reserved
            Ok(
                Told::Answer(wire::Answer { usage, .. }) | Told::Withheld(Withheld { cost: usage }),
            ) => {
                let most = Tokens {
                    prompt: prompt.most_tokens() - u64::from(prompt.max_tokens),
                    completion: u64::from(prompt.max_tokens),
                };
                (usage.unwrap_or(most), Verdict::Served)
            }
            Ok(Told::Key(verdict)) => (Tokens::default(), *verdict),
            Ok(Told::Forbidden(_)) => (Tokens::default(), Verdict::Unclear),
            Err(_) => (Tokens::default(), Verdict::Served),
        };
        let settling = self.keyring.settle(reservation, tokens, verdict);
        *aside
            .settling
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(settling);
        told
    }
}

/// What an answer says, of the question or of the key.
fn judge(answer: Answer) -> Result<Told, Fault> {
    if let Some(withheld) = wire::withheld(&answer.body) {
        return Ok(Told::Withheld(withheld));
    }
    let verdict = match answer.status {
        StatusCode::UNAUTHORIZED => Verdict::Refused,
        StatusCode::FORBIDDEN if wire::names_the_key(&answer.body) => Verdict::Refused,
        StatusCode::FORBIDDEN => return Ok(Told::Forbidden(Fault::refused("status 403"))),
        StatusCode::PAYMENT_REQUIRED => Verdict::Exhausted,
        StatusCode::TOO_MANY_REQUESTS if wire::quota_is_out(&answer.body) => Verdict::Exhausted,
        StatusCode::TOO_MANY_REQUESTS => Verdict::Limited(answer.retry_after(Timestamp::now())),
        _ => {
            let answer = answer.accept()?;
            return wire::read(&answer.body)
                .map(Told::Answer)
                .ok_or_else(|| Fault::transient("an answer without a text"));
        }
    };
    Ok(Told::Key(verdict))
}

fn silence(no_key: NoKey) -> Silence {
    match no_key {
        NoKey::Resting { until, spent } => {
            let ms = u64::try_from(until - now_ms()).unwrap_or(0);
            let retry_in = Duration::from_millis(ms);
            if spent {
                Silence::Spent { retry_in }
            } else {
                Silence::Limited { retry_in }
            }
        }
        NoKey::Store(error) => {
            tracing::error!(%error, "requests to the model cannot be counted, so none is made");
            Silence::Uncounted
        }
    }
}

#[cfg(test)]
mod tests;
