//! What there is to know about each kind of problem: a page for each code.
//!
//! A code enters, its page leaves: what it says, why, a wrong and a right example. The pages are `docs/problems/`,
//! compiled into the program with the codes. Nothing is checked here, and nothing printed.

use crate::syntax::Code;
use crate::syntax::code::{self, Known};

/// What a page says behind the sentence about its code if flows with the problem run all the same.
const WARNING: &str = " A warning.";

/// The page of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code.
    pub code: Code,
    /// One sentence: what a problem of that code says.
    pub about: &'static str,
    /// Whether a flow with the problem runs all the same.
    pub warning: bool,
    /// All of the page behind its title, as Markdown.
    pub text: &'static str,
}

/// Every code, each with a sentence about it, in the order in which they are documented.
#[must_use]
pub fn codes() -> Vec<(&'static str, &'static str)> {
    code::all()
        .map(|known| (known.code.as_str(), known.about))
        .collect()
}

/// The page of what is written; `None` if that is no code.
#[must_use]
pub fn page(written: &str) -> Option<Page> {
    code::all().find(|known| known.code == *written).map(read)
}

/// The page of a code.
#[must_use]
pub fn page_of(code: Code) -> Page {
    page(code.as_str()).expect("there are no other codes than those of the list")
}

fn read(known: &Known) -> Page {
    let title = known.page.find("\n\n").map_or(0, |end| end + 2);
    let text = &known.page[title..];
    let first = text.lines().next().unwrap_or_default();
    Page {
        code: known.code,
        about: known.about,
        warning: first.ends_with(WARNING),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn each_page_begins_with_what_its_code_says_and_each_page_has_a_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/problems");
        let entries = std::fs::read_dir(folder).unwrap();
        let mut pages: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        for known in code::all() {
            let (code, about) = (known.code, known.about);
            assert!(known.page.starts_with(&format!("# {code}\n\n")), "{code}");
            let page = page_of(code);
            let first = page.text.lines().next().unwrap();
            let said = first.strip_suffix(WARNING).unwrap_or(first);
            assert_eq!(said, about, "{code}");
            pages.remove(std::ffi::OsStr::new(&format!("{code}.md")));
        }
        assert!(pages.is_empty(), "pages without a code: {pages:?}");
    }
}
