//! Rate limits: a bucket per route and place, told with every answer, and the limit of everything.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many in which time.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Calls.
    pub calls: u32,
    /// In this time.
    pub per: Duration,
}

/// What a bucket says of itself after a call.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) bucket: String,
    pub(super) limit: u32,
    pub(super) remaining: u32,
    pub(super) reset_after: Duration,
    /// The call was one too many.
    pub(super) over: bool,
}

struct Bucket {
    used: u32,
    until: Instant,
}

/// All buckets.
pub struct Buckets {
    /// Of messages, per channel.
    pub posts: Limit,
    /// Of any other route.
    pub others: Limit,
    used: HashMap<String, Bucket>,
    global: Option<Instant>,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self {
            posts: Limit {
                calls: 5,
                per: Duration::from_secs(5),
            },
            others: Limit {
                calls: 50,
                per: Duration::from_secs(1),
            },
            used: HashMap::new(),
            global: None,
        }
    }

    /// How long nothing may be asked.
    pub(super) fn global(&self, now: Instant) -> Option<Duration> {
        let left = self.global?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn close_all(&mut self, now: Instant, wait: Duration) {
        self.global = Some(now + wait);
    }

    /// Nothing more in this call's bucket for so long.
    pub(super) fn exhaust(
        &mut self,
        now: Instant,
        method: &str,
        path: &str,
        wait: Duration,
    ) -> Standing {
        let (key, limit) = self.key(method, path);
        let bucket = Bucket {
            used: limit.calls,
            until: now + wait,
        };
        self.used.insert(key.clone(), bucket);
        Standing {
            bucket: name(&key),
            limit: limit.calls,
            remaining: 0,
            reset_after: wait,
            over: true,
        }
    }

    pub(super) fn take(&mut self, now: Instant, method: &str, path: &str) -> Standing {
        let (key, limit) = self.key(method, path);
        let bucket = self.used.entry(key.clone()).or_insert(Bucket {
            used: 0,
            until: now + limit.per,
        });
        if bucket.until <= now {
            *bucket = Bucket {
                used: 0,
                until: now + limit.per,
            };
        }
        let over = bucket.used >= limit.calls;
        if !over {
            bucket.used += 1;
        }
        Standing {
            bucket: name(&key),
            limit: limit.calls,
            remaining: limit.calls - bucket.used,
            reset_after: bucket.until - now,
            over,
        }
    }

    fn key(&self, method: &str, path: &str) -> (String, Limit) {
        let (key, posts) = key(method, path);
        (key, if posts { self.posts } else { self.others })
    }
}

/// How the bucket of a call is called.
pub(super) fn bucket(method: &str, path: &str) -> String {
    name(&key(method, path).0)
}

/// What a bucket is kept by, and whether it is one of messages.
fn key(method: &str, path: &str) -> (String, bool) {
    let mut parts: Vec<&str> = path.split('/').collect();
    // the first id is part of the bucket, the others are not
    for (n, part) in parts.iter_mut().enumerate() {
        if n > 1 && part.parse::<u64>().is_ok() {
            *part = ":id";
        }
    }
    let posts = method == "POST" && parts.len() == 3 && parts[2] == "messages";
    (format!("{method} {}", parts.join("/")), posts)
}

/// Discord's are opaque, and the same for a route wherever it is.
fn name(key: &str) -> String {
    let route = key.split('/').enumerate();
    let route: Vec<&str> = route
        .filter(|(n, _)| *n != 1)
        .map(|(_, part)| part)
        .collect();
    let sum = route.join("/").bytes().fold(7_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_and_empties() {
        let mut buckets = Buckets::new();
        let start = Instant::now();
        for left in (0..5).rev() {
            let standing = buckets.take(start, "POST", "channels/1/messages");
            assert_eq!((standing.remaining, standing.over), (left, false));
        }
        assert!(buckets.take(start, "POST", "channels/1/messages").over);
        assert!(!buckets.take(start, "POST", "channels/2/messages").over);
        let later = start + Duration::from_secs(5);
        assert!(!buckets.take(later, "POST", "channels/1/messages").over);
    }
}
