//! From the shape of one notation to that of the other.

mod to_text;
mod to_yaml;

pub(super) use to_text::to_text;
pub(super) use to_yaml::to_yaml;
