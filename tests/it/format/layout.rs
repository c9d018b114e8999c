//! How a file is laid out.

use super::{converted, file, formatted};
