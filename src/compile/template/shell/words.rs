//! What the lexer remembers of the command that it reads: its words, and where in the grammar it stands.

/// Where a `case` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CaseState {
    /// Before its subject.
    Subject,
    /// Before `in`.
    In,
    /// At the beginning of a pattern, or at `esac`.
    PatternStart,
    /// In a pattern.
    Pattern,
    /// In the commands behind a pattern.
    Body,
}

/// What an open parenthesis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paren {
    /// Of a subshell, a function, a pattern: commands or words.
    Commands,
    /// Of an array: words.
    Array,
    /// The first of `((`: arithmetic in one shell, two subshells in another.
    Unclear,
}

/// The word at hand.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// Whether there is one.
    pub open: bool,
    /// Its text, as far as it is plain.
    pub text: String,
    /// Something else than plain text stands in it.
    pub quoted: bool,
    /// It begins as an assignment.
    pub assignment: bool,
    /// It stands between `name[` and `]`.
    pub subscript: bool,
    /// Its templates.
    pub holes: Vec<usize>,
}

impl Word {
    /// Takes a plain character.
    pub fn push(&mut self, c: char) {
        let name = !self.quoted && is_name(&self.text);
        match c {
            '=' if name || (!self.quoted && self.text.strip_suffix('+').is_some_and(is_name)) => {
                self.assignment = true;
            }
            '=' if !self.subscript && self.text.ends_with(']') => self.assignment = true,
            '[' if name => self.subscript = true,
            ']' => self.subscript = false,
            _ => {}
        }
        self.open = true;
        self.text.push(c);
    }

    /// Takes something that is not plain.
    pub fn quote(&mut self) {
        self.open = true;
        self.quoted = true;
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// The command at hand.
#[derive(Debug, Default)]
pub(super) struct Command {
    /// Its name; `None` before it.
    pub name: Option<String>,
    /// Its arguments: the templates of each, and what it is.
    pub words: Vec<(Vec<usize>, Argument)>,
    /// The next word is the target of a redirection.
    pub redirection: bool,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// An operator of `test` whose operands are numbers.
    Comparison,
    /// `-v`, behind which a variable's name stands.
    Variable,
    /// Anything else.
    Other,
}

/// Words behind which a command begins again.
pub(super) const BEFORE_COMMANDS: [&str; 11] = [
    "if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "coproc",
];

/// Operators of `test` and `[[ ]]` whose operands some shells evaluate as arithmetic.
pub(super) const COMPARISONS: [&str; 6] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];

/// Commands that take numbers, which some shells evaluate as arithmetic.
pub(super) const NUMBERS: [&str; 5] = ["shift", "exit", "return", "break", "continue"];

/// Commands that take names of variables; in a name, an index of an array is arithmetic.
pub(super) const NAMES: [&str; 11] = [
    "read",
    "unset",
    "declare",
    "typeset",
    "local",
    "readonly",
    "export",
    "integer",
    "mapfile",
    "readarray",
    "getopts",
];

/// Commands that give variables attributes.
pub(super) const DECLARATIONS: [&str; 4] = ["declare", "typeset", "local", "integer"];
