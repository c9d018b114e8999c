//! An open file.

use std::borrow::Cow;

use lsp_types::{TextDocumentContentChangeEvent, Uri};

use super::kinds::Kind;
use super::outline::{Outline, outline};
use super::text::{Encoding, Text};
use crate::model::{Bundle, SourceFile};
use crate::syntax::{self, Notation};

/// An open file, as the editor has it.
#[derive(Debug)]
pub(super) struct Document {
    /// What the editor calls it.
    pub uri: Uri,
    /// Its path, or something like one if it has none yet.
    pub path: String,
    /// Its text.
    pub text: Text,
    /// The number that the editor gave this text.
    pub version: i32,
    /// Whether what is wrong with it has been told.
    pub told: bool,
    outline: Outline,
    /// Whether the outline was looked for since the text has changed, and whether it is of this text.
    looked: bool,
    current: bool,
}

impl Document {
    pub(super) fn open(uri: Uri, version: i32, text: String, encoding: Encoding) -> Self {
        Self {
            path: path_of(uri.as_str()),
            uri,
            text: Text::new(text, encoding),
            version,
            told: false,
            outline: Outline::default(),
            looked: false,
            current: false,
        }
    }

    pub(super) fn change(&mut self, version: i32, changes: Vec<TextDocumentContentChangeEvent>) {
        self.version = version;
        for change in changes {
            let text = std::mem::replace(&mut self.text, Text::new(String::new(), Encoding::Utf8));
            self.text = text.changed(change);
        }
        self.told = false;
        self.looked = false;
    }

    pub(super) fn notation(&self) -> Notation {
        Notation::of(&self.path)
    }

    pub(super) fn bundle(&self) -> Bundle {
        Bundle {
            version: 1,
            files: vec![SourceFile {
                path: self.path.clone(),
                text: self.text.as_str().to_owned(),
            }],
        }
    }

    /// Looks for the tasks and names of the text, if that was not done since it has changed.
    pub(super) fn refresh(&mut self, kinds: &[Kind]) {
        if self.looked {
            return;
        }
        self.looked = true;
        let root = syntax::tree(&self.bundle());
        self.current = root.is_some();
        if let Some(root) = root {
            self.outline = outline(&root, &self.text, kinds);
        }
    }

    /// The tasks and names of the text as it is now; `None` if it cannot be read.
    pub(super) fn outline(&self) -> Option<&Outline> {
        self.current.then_some(&self.outline)
    }

    /// The tasks and names that there are while something is being written at a byte: if the text cannot be read as it
    /// is, those of the text without the line that is being written; at worst, those of the last text that could be
    /// read. Where they stand means nothing then.
    pub(super) fn outline_while_writing(&self, byte: usize, kinds: &[Kind]) -> Cow<'_, Outline> {
        if self.current {
            return Cow::Borrowed(&self.outline);
        }
        let text = self.text.as_str();
        let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
        let end = text[byte..].find('\n').map_or(text.len(), |at| byte + at);
        let mut bundle = self.bundle();
        if let Some(file) = bundle.files.first_mut() {
            let blank = " ".repeat(end - start);
            file.text.replace_range(start..end, &blank);
        }
        match syntax::tree(&bundle) {
            Some(root) => Cow::Owned(outline(&root, &self.text, kinds)),
            None => Cow::Borrowed(&self.outline),
        }
    }
}

/// Whether a file of that name is a flow.
pub(super) fn is_flow(uri: &str) -> bool {
    let path = path_of(uri);
    [".flow.yaml", ".flow.yml", ".flow"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

/// The path of a file's URI; the URI itself if it is none of a file.
fn path_of(uri: &str) -> String {
    let rest = uri.strip_prefix("file://").unwrap_or(uri);
    let decoded = percent_encoding::percent_decode_str(rest).decode_utf8_lossy();
    decoded.into_owned()
}
