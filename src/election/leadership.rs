//! What the rest of the operator is told of the election.

use tokio::sync::watch;

/// What this operator is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It acts.
    Leading,
    /// It watches, and does nothing.
    Standby {
        /// Who holds the Lease, as far as is known.
        leader: Option<String>,
    },
}

/// Tells whether this operator acts. Who has led and leads no more ends: there is no way back.
#[derive(Clone, Debug)]
pub struct Leadership {
    role: watch::Receiver<Role>,
    elected: bool,
}

impl Leadership {
    /// Without an election: the only operator there is.
    pub fn undisputed() -> Self {
        Self {
            role: watch::Sender::new(Role::Leading).subscribe(),
            elected: false,
        }
    }

    pub(super) fn contested(role: watch::Receiver<Role>) -> Self {
        Self {
            role,
            elected: true,
        }
    }

    /// Whether there is an election at all, so that another operator may have acted before this one.
    pub fn is_elected(&self) -> bool {
        self.elected
    }

    /// What this operator is right now.
    pub fn role(&self) -> Role {
        self.role.borrow().clone()
    }

    /// Whether it acts.
    pub fn is_leading(&self) -> bool {
        *self.role.borrow() == Role::Leading
    }

    /// Waits until it acts; for ever where that never comes.
    pub async fn until_leading(&self) {
        let mut role = self.role.clone();
        if role.wait_for(|role| *role == Role::Leading).await.is_err() {
            // The elector has ended without having led.
            std::future::pending::<()>().await;
        }
    }
}
