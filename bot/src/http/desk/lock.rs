//! The secret of the moderators' desk: who knows it gets a pass, and not too many tries.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ring::hmac::{self, HMAC_SHA256, Key};
use secrecy::{ExposeSecret, SecretString};

use crate::config::WebConfig;
use crate::hex::hex;

const LEAST_CHARACTERS: usize = 16;
/// Tries at once, and the time after which there is one more. They are counted for all together: who
/// guesses has many addresses. Who is logged in already notices nothing.
const TRIES: u32 = 5;
const EVERY: Duration = Duration::from_secs(6);
/// Wrong secrets that programs may bring within a minute, all of them together. After that none is
/// looked at until the minute is over, or whoever guesses would do it here.
const WRONG: u32 = 20;
const MINUTE: Duration = Duration::from_mins(1);

/// Why the desk cannot be opened as configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("--moderator-token-file: {path} cannot be read: {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error(
        "{0} is too short: write a secret of at least {LEAST_CHARACTERS} characters, such as `openssl rand -hex 16` gives"
    )]
    Short(&'static str),
}

/// Why a pass was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LoginError {
    Wrong,
    /// Try again after that.
    TooMany(Duration),
}

/// Holds a key made of the secret, not the secret.
pub(super) struct Lock {
    key: Key,
    tries: DefaultDirectRateLimiter,
    clock: DefaultClock,
    /// Since when, and how many wrong secrets programs have brought.
    wrong: Mutex<Option<(Instant, u32)>>,
}

impl Lock {
    /// None where no secret is configured.
    pub(super) fn of(config: &WebConfig) -> Result<Option<Self>, DeskError> {
        if let Some(path) = &config.moderator_token_file {
            let text = std::fs::read_to_string(path).map_err(|source| DeskError::Read {
                path: path.display().to_string(),
                source,
            })?;
            let secret = SecretString::from(text);
            return Self::new(&secret, "--moderator-token-file").map(Some);
        }
        let secret = config.moderator_token.as_ref();
        secret
            .map(|secret| Self::new(secret, "CHATBOTLER_MODERATOR_TOKEN"))
            .transpose()
    }

    fn new(secret: &SecretString, option: &'static str) -> Result<Self, DeskError> {
        let secret = secret.expose_secret().trim();
        if secret.chars().count() < LEAST_CHARACTERS {
            return Err(DeskError::Short(option));
        }
        let clock = DefaultClock::default();
        let burst = std::num::NonZeroU32::MIN.saturating_add(TRIES - 1);
        let quota = Quota::with_period(EVERY)
            .expect("the time between two tries is not zero")
            .allow_burst(burst);
        Ok(Self {
            key: Key::new(HMAC_SHA256, secret.as_bytes()),
            tries: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            wrong: Mutex::default(),
        })
    }

    /// A pass for `age` from `now` on (Unix seconds).
    pub(super) fn open(
        &self,
        secret: &SecretString,
        age: Duration,
        now: i64,
    ) -> Result<String, LoginError> {
        if let Err(early) = self.tries.check() {
            let wait = early.wait_time_from(self.clock.now());
            return Err(LoginError::TooMany(wait));
        }
        if !self.fits(secret.expose_secret()) {
            return Err(LoginError::Wrong);
        }
        let end = now.saturating_add(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        let seal = hmac::sign(&self.key, sealed(end).as_bytes());
        Ok(format!("{end}.{}", hex(seal.as_ref())))
    }

    /// A program brings the secret with each of its messages, so only wrong ones are counted.
    pub(super) fn check(&self, secret: &str, now: Instant) -> Result<(), LoginError> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = wrong
            .filter(|(since, _)| now.duration_since(*since) < MINUTE)
            .unwrap_or((now, 0));
        if count >= WRONG {
            return Err(LoginError::TooMany(
                MINUTE.saturating_sub(now.duration_since(since)),
            ));
        }
        if self.fits(secret) {
            return Ok(());
        }
        *wrong = Some((since, count + 1));
        Err(LoginError::Wrong)
    }

    /// Whether it is the secret: equal keys make equal signatures, and signatures are compared in
    /// constant time.
    fn fits(&self, secret: &str) -> bool {
        let given = Key::new(HMAC_SHA256, secret.trim().as_bytes());
        let proof = hmac::sign(&self.key, b"login");
        hmac::verify(&given, b"login", proof.as_ref()).is_ok()
    }

    /// Whether the pass was given out here, or by a replica with the same secret, and has not ended.
    pub(super) fn accepts(&self, pass: &str, now: i64) -> bool {
        let Some((end, seal)) = pass.split_once('.') else {
            return false;
        };
        let (Ok(end), Some(seal)) = (end.parse::<i64>(), unhex(seal)) else {
            return false;
        };
        end > now && hmac::verify(&self.key, sealed(end).as_bytes(), &seal).is_ok()
    }
}

fn sealed(end: i64) -> String {
    format!("pass until {end}")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a fairly long secret";
    const AGE: Duration = Duration::from_mins(1);

    fn lock(secret: &str) -> Lock {
        Lock::new(&SecretString::from(secret), "--option").unwrap()
    }

    #[test]
    fn a_pass_is_good_until_its_end_and_for_its_secret() {
        let given = SecretString::from(format!(" {SECRET}\n"));
        let pass = lock(SECRET).open(&given, AGE, 1000).unwrap();
        assert!(lock(SECRET).accepts(&pass, 1059), "also after a restart");
        assert!(!lock(SECRET).accepts(&pass, 1060));
        assert!(!lock("quite another secret").accepts(&pass, 1059));
        let longer = pass.replacen("1060", "2060", 1);
        for forged in [&longer, "", ".", "9999.", "9999.00", "9999.zz", "9999"] {
            assert!(!lock(SECRET).accepts(forged, 1059), "{forged}");
        }
    }

    #[test]
    fn guessing_comes_to_an_end() {
        let lock = lock(SECRET);
        let wrong = SecretString::from("a fairly long guess!");
        for _ in 0..TRIES {
            assert_eq!(lock.open(&wrong, AGE, 0), Err(LoginError::Wrong));
        }
        for secret in [wrong, SecretString::from(SECRET)] {
            let refused = lock.open(&secret, AGE, 0);
            assert!(matches!(refused, Err(LoginError::TooMany(wait)) if wait <= EVERY));
        }
    }

    #[test]
    fn guessing_by_programs_comes_to_an_end_and_the_right_one_costs_nothing() {
        let lock = lock(SECRET);
        let begin = Instant::now();
        for _ in 0..100 {
            assert_eq!(lock.check(SECRET, begin), Ok(()));
        }
        for _ in 0..WRONG {
            assert_eq!(lock.check("a guess", begin), Err(LoginError::Wrong));
        }
        let later = begin + Duration::from_secs(59);
        for secret in ["a guess", SECRET] {
            let wait = Duration::from_secs(1);
            assert_eq!(lock.check(secret, later), Err(LoginError::TooMany(wait)));
        }
        assert_eq!(lock.check(SECRET, begin + MINUTE), Ok(()));
    }

    #[test]
    fn a_short_secret_is_refused() {
        let refused = Lock::new(&SecretString::from("  short  "), "--option");
        assert!(matches!(refused, Err(DeskError::Short("--option"))));
    }
}
