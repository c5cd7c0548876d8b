//! What the service manager is told, by `NOTIFY_SOCKET`; without one nothing is.

use sd_notify::NotifyState;

/// The gateway takes pushes and scrapes.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// No more connections are taken; requests in flight are finished.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// The program ends for this reason.
pub fn failed(reason: &str) {
    // A line feed would begin another assignment.
    tell(&[NotifyState::Status(&reason.replace('\n', " "))]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
