//! The board in Redis: what only it has to answer for.

mod faults;
mod loss;
mod servers;
mod trouble;
