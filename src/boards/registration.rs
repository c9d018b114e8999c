//! What a conductor tells of itself, as the text in which a board outside this process keeps it.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::ports::{Registered, Registration};

/// The version of the text.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    conductor: &'a Registration,
}

#[derive(Deserialize)]
struct Read {
    version: u32,
    conductor: Registration,
}

/// The text.
pub(super) fn write(conductor: &Registration) -> String {
    let written = Written {
        version: VERSION,
        conductor,
    };
    serde_json::to_string(&written).expect("names, numbers and lists of them are JSON")
}

/// What the text of the conductor `id` tells, last seen at `seen_at`. What cannot be read, such as what another version
/// of this program wrote, is logged and left out: a conductor works all the same.
pub(super) fn read(id: &str, text: &str, seen_at: Timestamp) -> Option<Registered> {
    match serde_json::from_str::<Read>(text) {
        Ok(read) if read.version == VERSION => Some(Registered {
            conductor: read.conductor,
            seen_at,
        }),
        Ok(read) => {
            tracing::warn!(
                id,
                version = read.version,
                "a conductor tells of itself in another version"
            );
            None
        }
        Err(error) => {
            tracing::warn!(id, %error, "what a conductor tells of itself cannot be read");
            None
        }
    }
}
