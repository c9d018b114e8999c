//! The board in Redis: what only it has to answer for.

mod loss;
mod servers;
mod trouble;
