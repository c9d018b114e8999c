//! The words of the program: what every other layer speaks of.
//!
//! Nothing enters and nothing leaves: these are plain values. The module never
//! does I/O, reads no clock and draws no random numbers.

mod failure;
mod id;
mod job;
mod kind;
mod policy;
mod record;
mod span;
mod state;
mod time;
mod types;
mod value;

pub use failure::{Failure, FailureKind};
pub use id::{AtomId, ConductorId, Digest, Epoch, IdError, JobId, ScopeId};
pub use job::{Bundle, Intent, NewJob, SecretSource, SourceFile};
pub use kind::{KindSchema, Param, Shape, Waits};
pub use policy::{IfInterrupted, Priority, SkipDepth};
pub use record::{
    Answer, AtomRow, Change, Checkpoint, FlowRow, Operator, Phase, Record, RetryHistory, Subject,
    Try, Verb,
};
pub use span::{Span, Spanned};
pub use state::{AtomState, FlowState, Intention, atom_may_become, flow_may_become};
pub use time::{Duration, Timestamp, format_duration, parse_duration};
pub use types::{Declared, Type, TypeError, format_size, parse_size};
pub use value::{SharedValue, Value};
