//! What a candidate does about the Lease as it was last seen. Pure: both clocks are handed in.
//!
//! Times are those of the local monotonic clock, from an origin of its own; what a Lease says of times is
//! for people, and never compared. The rule is client-go's: a leader is waited for as long as its Lease
//! says, from when we saw that Lease change last. Stricter than there:
//!
//! - A Lease that is gone, or whose holder somebody took out, is no released one: whoever led may not have
//!   noticed. It can be taken, but the lease is waited out before acting; and who led does not put it back.
//! - Our name in a Lease that we did not write is not ours.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::settings::Timing;

/// How long a released Lease is held by nobody: one second says that it was released, as client-go does.
const RELEASED_SECONDS: i32 = 1;

/// A candidate, leading or not.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    me: String,
    timing: Timing,
    observed: Option<Observed>,
    attempt: Option<Attempt>,
    lead: Option<Lead>,
}

#[derive(Clone, Debug)]
struct Observed {
    record: LeaseSpec,
    /// When it was seen to have changed.
    at: Duration,
}

/// A write that we may not have heard the answer to.
#[derive(Clone, Debug)]
struct Attempt {
    record: LeaseSpec,
    /// How long to wait before acting once it is known to have succeeded. Not counted from when it was sent:
    /// one that was held up may succeed long after, on another state of affairs.
    hold: Duration,
}

/// A leadership: what may be written when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    /// Not before.
    pub from: Duration,
    /// Nor from then on, unless it is renewed.
    pub until: Duration,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Write this: by POST where there was none, else by PUT over what was seen.
    Write(Box<LeaseSpec>),
    /// Another one holds it, until then at least.
    Wait(Duration),
    /// We led, and another one holds it now, or nobody.
    Lost,
}

impl Candidate {
    pub(super) fn new(me: String, timing: Timing) -> Self {
        Self {
            me,
            timing,
            observed: None,
            attempt: None,
            lead: None,
        }
    }

    /// Takes in the Lease as it is now.
    pub(super) fn seen(
        &mut self,
        found: Option<&LeaseSpec>,
        now: Duration,
        wall: Timestamp,
    ) -> Next {
        let Some(record) = found else {
            // Others may have had it meanwhile, and it was taken from them as well: nobody can tell.
            if self.lead.is_some() {
                return Next::Lost;
            }
            let known = self.observed.as_ref().map(|seen| &seen.record);
            let seconds = known.and_then(|record| record.lease_duration_seconds);
            let hold = self.timing.patience(seconds);
            return self.write(hold, wall);
        };
        if self
            .observed
            .as_ref()
            .is_none_or(|seen| seen.record != *record)
        {
            let record = record.clone();
            self.observed = Some(Observed { record, at: now });
        }
        let ours = holder(record) == Some(self.me.as_str());
        let written = self
            .attempt
            .as_ref()
            .filter(|attempt| attempt.record == *record);
        match (self.lead, written.map(|attempt| attempt.hold)) {
            (Some(_), _) if !ours => Next::Lost,
            (Some(_), _) => self.write(Duration::ZERO, wall),
            // A write of ours whose answer was lost.
            (None, Some(hold)) => self.write(hold, wall),
            (None, None) => {
                let free_at = self.free_at(record, now);
                if free_at <= now {
                    self.write(Duration::ZERO, wall)
                } else {
                    Next::Wait(free_at)
                }
            }
        }
    }

    /// The write that was asked for last has succeeded; it was `started` to be sent then.
    pub(super) fn won(&mut self, started: Duration, now: Duration) {
        let Some(Attempt { record, hold }) = self.attempt.clone() else {
            return;
        };
        // Who waits for us counts from when it saw this renewal, which is after we began to send it.
        let until = started + self.timing.renew;
        self.lead = Some(Lead {
            from: self.lead.map_or(now + hold, |lead| lead.from),
            until,
        });
        self.observed = Some(Observed { record, at: now });
    }

    /// The leadership, if there is one.
    pub(super) fn lead(&self) -> Option<Lead> {
        self.lead
    }

    /// What to write to give the Lease back, to be called when nothing more is to be written. `None` where it
    /// is not ours to give: once our time is over, and before it has begun, another one may act, whatever name
    /// is in it.
    pub(super) fn release(
        &self,
        found: &LeaseSpec,
        now: Duration,
        wall: Timestamp,
    ) -> Option<LeaseSpec> {
        let leading = self
            .lead
            .is_some_and(|lead| lead.from <= now && now < lead.until);
        let ours = leading && holder(found) == Some(self.me.as_str());
        ours.then(|| LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(RELEASED_SECONDS),
            renew_time: Some(micro(wall)),
            acquire_time: Some(micro(wall)),
            ..found.clone()
        })
    }

    /// Who was last seen to hold the Lease.
    pub(super) fn leader(&self) -> Option<&str> {
        holder(&self.observed.as_ref()?.record)
    }

    /// How often the Lease has changed hands.
    pub(super) fn transitions(&self) -> i32 {
        let record = self.observed.as_ref().map(|seen| &seen.record);
        record
            .and_then(|record| record.lease_transitions)
            .unwrap_or(0)
    }

    fn free_at(&self, record: &LeaseSpec, now: Duration) -> Duration {
        let released =
            holder(record).is_none() && record.lease_duration_seconds == Some(RELEASED_SECONDS);
        if released {
            return now;
        }
        let seen = self.observed.as_ref().map_or(now, |seen| seen.at);
        seen + self.timing.patience(record.lease_duration_seconds)
    }

    /// A record of ours, renewed or new. Wall times are cut to what a Lease keeps of them, so that we know
    /// our own record again.
    fn write(&mut self, hold: Duration, wall: Timestamp) -> Next {
        let before = self.observed.as_ref().map(|seen| &seen.record);
        let renewed = before.filter(|record| holder(record) == Some(self.me.as_str()));
        let record = LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: Some(self.timing.lease_seconds()),
            acquire_time: renewed
                .and_then(|record| record.acquire_time.clone())
                .or_else(|| Some(micro(wall))),
            renew_time: Some(micro(wall)),
            lease_transitions: Some(match (renewed, before) {
                (Some(same), _) => same.lease_transitions.unwrap_or(0),
                (None, Some(other)) => other.lease_transitions.unwrap_or(0).saturating_add(1),
                (None, None) => 0,
            }),
            ..before.cloned().unwrap_or_default()
        };
        self.attempt = Some(Attempt {
            record: record.clone(),
            hold,
        });
        Next::Write(Box::new(record))
    }
}

fn holder(record: &LeaseSpec) -> Option<&str> {
    record
        .holder_identity
        .as_deref()
        .filter(|holder| !holder.is_empty())
}

fn micro(wall: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(wall.as_microsecond()).unwrap_or(wall))
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
