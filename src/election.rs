//! Which of several operators acts: leader election on a `Lease`, in client-go's way, and the fence
//! that keeps whoever leads no more from writing.
//!
//! - [`settings`]: the timing, the Lease's name, who we are
//! - [`candidate`]: what to do about the Lease as it was last seen; pure, its clock is handed in
//! - [`fence`]: the one place that lets writes through or not
//! - [`elector`]: the only part that talks to the API server
//! - [`leadership`]: what the rest of the operator is told
//!
//! # Guarantees
//!
//! - No two operators of one Lease may write at one time, as long as their clocks run equally fast to
//!   within (lease − renew deadline) / lease, whatever they show, however long a request takes and
//!   whoever edits or deletes the Lease. Only who writes a *released* Lease by hand can break that.
//! - A write is not begun, and none goes on being sent, once the renew deadline has passed.
//!
//! # Caveats
//!
//! What has left the process cannot be called back: a write that is held up in the network may arrive
//! after the next leader has begun. The `resourceVersion` in it makes it a conflict where the object has
//! changed meanwhile. Where it has not, the next leader puts flags right as soon as it sees them, and replicas
//! that it holds a baseline of at its next look. A number that arrives once it has handed the workload back
//! bears our own name and is nobody's set-back: the controller (`late.rs`) knows it for some minutes, in the process.
//! What it does not know, such as KEDA's pause or what was before a restart, is the reason why a Lease is not released
//! while a write may be held up: it runs out.

mod candidate;
mod elector;
mod fence;
mod leadership;
mod settings;

pub use elector::{Election, Elector, Lost};
pub use fence::Fence;
pub use leadership::{Leadership, Role};
pub use settings::{Settings, Timing, identity, lease_name};
