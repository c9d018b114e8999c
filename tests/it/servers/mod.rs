//! Real servers for tests: started by the tests themselves, on free loopback ports, with data that is thrown away.

pub mod redis;
