//! Kinds for tests, like those that the program comes with.

use jobrunner::model::{KindSchema, Param, Shape, Waits};

const fn param(name: &'static str, shape: Shape, required: bool) -> Param {
    Param {
        name,
        shape,
        required,
        about: "a parameter",
    }
}

const SHELL: KindSchema = KindSchema {
    name: "shell",
    about: "a script",
    params: &[
        param("script", Shape::Script, true),
        param("interpreter", Shape::Argv, false),
        param("json", Shape::Bool, false),
    ],
    shorthand: Some("script"),
    process: true,
    result: &["stdout", "exit_code", "json"],
    whole: Some("stdout"),
    waits: Waits::Nothing,
};

const EXEC: KindSchema = KindSchema {
    name: "exec",
    about: "a program",
    params: &[
        param("argv", Shape::Argv, true),
        param("json", Shape::Bool, false),
    ],
    shorthand: Some("argv"),
    ..SHELL
};

const HTTP: KindSchema = KindSchema {
    name: "http",
    about: "a request",
    params: &[
        param(
            "method",
            Shape::Word(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
            false,
        ),
        param("url", Shape::Url, true),
        param("query", Shape::Query, false),
        param("headers", Shape::TextMap, false),
        param("json", Shape::Json, false),
        param("form", Shape::Query, false),
        param("body", Shape::Text, false),
        param("bearer", Shape::Text, false),
        param("expect", Shape::StatusCodes, false),
        param("timeout", Shape::Period, false),
        param("save", Shape::Path, false),
        param("redirects", Shape::Int, false),
        param("check", Shape::Expression, false),
    ],
    shorthand: Some("url"),
    process: false,
    result: &["status", "headers", "json", "body", "saved"],
    whole: None,
    waits: Waits::Nothing,
};

const SLEEP: KindSchema = KindSchema {
    name: "sleep",
    about: "a wait",
    params: &[
        param("duration", Shape::Duration, false),
        param("until", Shape::Instant, false),
    ],
    shorthand: Some("duration"),
    process: false,
    result: &[],
    whole: None,
    waits: Waits::Instant,
};

/// `shell`, `exec`, `http` and `sleep`.
pub const KINDS: [&KindSchema; 4] = [&SHELL, &EXEC, &HTTP, &SLEEP];
