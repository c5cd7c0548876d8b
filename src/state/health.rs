//! Whether the store takes pushes.

use tokio::sync::watch;

use super::request::Refused;

/// What the gateway can do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Pushes are stored.
    Accepting,
    /// A commit failed: pushes are refused until the store has been reopened.
    Refusing {
        /// Why.
        reason: String,
        /// Whether for want of room on the disk.
        full: bool,
    },
    /// The store cannot be used any more: the process must end.
    Broken {
        /// Why.
        reason: String,
    },
}

/// The current status, for everyone to read and to wait for.
#[derive(Debug)]
pub struct Health(watch::Sender<Status>);

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(Status::Accepting))
    }
}

impl Health {
    /// The reason for which pushes are refused; `None` while they are stored.
    pub fn refusal(&self) -> Option<String> {
        match &*self.0.borrow() {
            Status::Accepting => None,
            Status::Refusing { reason, .. } | Status::Broken { reason } => Some(reason.clone()),
        }
    }

    /// What a request is told that would have something stored; `None` while that is done.
    pub(super) fn refused(&self) -> Option<Refused> {
        match &*self.0.borrow() {
            Status::Accepting => None,
            Status::Refusing { reason, full: true } => Some(Refused::DiskFull(reason.clone())),
            Status::Refusing { reason, .. } | Status::Broken { reason } => {
                Some(Refused::Unavailable(reason.clone()))
            }
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        matches!(&*self.0.borrow(), Status::Broken { .. })
    }

    /// Waits until pushes are stored.
    pub async fn accepting(&self) {
        let mut changes = self.0.subscribe();
        // Fails only when the sender is gone, and it is `self`.
        let _ = changes
            .wait_for(|status| *status == Status::Accepting)
            .await;
    }

    /// Waits until the store is lost for good; says why.
    pub async fn broken(&self) -> String {
        let mut changes = self.0.subscribe();
        let broken = |status: &Status| matches!(status, Status::Broken { .. });
        let _ = changes.wait_for(broken).await;
        self.refusal().unwrap_or_default()
    }

    pub(super) fn set(&self, status: Status) {
        self.0.send_replace(status);
    }
}
