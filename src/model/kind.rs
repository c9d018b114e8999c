//! What compile knows of a task kind: its parameters, and nothing of what it does.

/// How a parameter's value is read, where templates may stand in it, and what they become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text; templates become text.
    Text,
    /// A POSIX shell script (or another interpreter's, where templates are an error): `{script, vars}`.
    Script,
    /// Code in another language than a shell's, such as SQL; no template may stand in it.
    Statement,
    /// A list of arguments; a list as a whole element is several.
    Argv,
    /// A URL; a value is percent-encoded for the place where it stands.
    Url,
    /// Any tree of values; a value stays a value.
    Json,
    /// A mapping from names to text.
    TextMap,
    /// A mapping from names to text or lists of text.
    Query,
    /// A duration.
    Duration,
    /// An instant: RFC 3339.
    Instant,
    /// An expression over the result; it is checked, stored as text and evaluated by the engine.
    Expression,
    /// A list of HTTP status codes, or one.
    StatusCodes,
    /// A duration of more than nothing: a limit, a period.
    Period,
    /// `true` or `false`.
    Bool,
    /// A whole number, at least 0.
    Int,
    /// A number of bytes.
    Size,
    /// A SHA-256 sum: 64 hexadecimal digits.
    Sha256,
    /// A path.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// One parameter of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Its key.
    pub name: &'static str,
    /// How it is read.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// One line about it.
    pub about: &'static str,
}

/// What compile sees of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSchema {
    /// The kind key, as in `shell: …`.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// The parameter that a bare value (not a mapping) under the kind key stands for.
    pub shorthand: Option<&'static str>,
    /// Whether the reserved keys `env` and `dir` mean something for it.
    pub process: bool,
    /// The fields of its result, which expressions in `provides`, `check` and `retry.on` may name.
    pub result: &'static [&'static str],
    /// The field that `provides: name` takes; `None` for the whole result.
    /// If a parameter `json: true` is set, the field `json` is taken instead.
    pub whole: Option<&'static str>,
    /// What it waits for, if it does nothing else.
    pub waits: Waits,
}

/// What a kind waits for that does nothing but wait. A task of one takes none of a conductor's places, and has nothing
/// that could be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// It does something.
    Nothing,
    /// For an instant: the scheduler keeps it in the checkpoint.
    Instant,
    /// For something elsewhere to be there: what is begun anew asks again.
    Elsewhere,
    /// For a person's answer: the scheduler keeps in the checkpoint until when.
    Person,
}
