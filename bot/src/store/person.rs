//! People in what is kept for counting and for the record: hashed, with a key that never leaves the store.
//!
//! Without the key, whoever has a list of Discord's ids could find each person by hashing them all.

use ring::hmac;

use super::{Store, StoreError};
use crate::hex::hex;

const KEY: &str = "person-key";
/// Bytes of the hash that are kept: enough for no two people to meet.
const KEPT: usize = 12;

impl Store {
    /// The hash of a person's id; the same in each replica and after each restart.
    pub(crate) async fn person(&self, id: &str) -> Result<String, StoreError> {
        let key = self.person_key.get_or_try_init(|| self.read_key()).await?;
        let tag = hmac::sign(key, id.as_bytes());
        Ok(hex(&tag.as_ref()[..KEPT]))
    }

    async fn read_key(&self) -> Result<hmac::Key, StoreError> {
        let mut fresh = [0; 32];
        let drawn = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut fresh);
        drawn.map_err(|_| sqlx::Error::Protocol("no randomness".to_owned()))?;
        // of two replicas that start at once, the first one's key is everybody's
        let text = self.setting_or_insert("", KEY, &hex(&fresh)).await?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }
}
