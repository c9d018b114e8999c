//! From bytes to the text of a file.

use super::{LineIndex, Problem, code, shown};
use crate::model::{SourceFile, Span};

/// How large a file may be, in bytes. A flow of 100,000 tasks fits. Whoever reads files need not read more of one
/// than this and one byte.
pub const MAX_SOURCE_BYTES: usize = 32 << 20;

/// Reads the bytes of a file as text. A byte order mark is left out.
///
/// # Errors
/// It is too large, is not UTF-8, or holds control characters. The problem names lines and columns itself; its span
/// says nothing, since there is no text to show.
pub fn read_source(path: impl Into<String>, bytes: &[u8]) -> Result<SourceFile, Box<Problem>> {
    let path = path.into();
    if bytes.len() > MAX_SOURCE_BYTES {
        return Err(too_large(&path).into());
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(whole(
            code::NOT_UTF8,
            format!("`{}` is UTF-16, not UTF-8", shown(&path)),
        )
        .help("save it as UTF-8")
        .into());
    }
    if bytes.contains(&0) {
        return Err(whole(
            code::BINARY,
            format!("`{}` is a binary file, not text", shown(&path)),
        )
        .help("a flow is a text file: NAME.flow.yaml")
        .into());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(&path, bytes, error.valid_up_to()).into()),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((at, character)) = text.char_indices().find(|(_, c)| is_forbidden(*c)) {
        let place = LineIndex::new(text).position(u32::try_from(at).unwrap_or(u32::MAX));
        return Err(whole(
            code::CONTROL_CHARACTER,
            format!(
                "`{}` has the control character U+{:04X} in line {}, column {}",
                shown(&path),
                u32::from(character),
                place.line,
                place.column
            ),
        )
        .help("leave it out, or write it as an escape such as \"\\e\" in double quotes")
        .into());
    }
    Ok(SourceFile {
        path,
        text: text.to_owned(),
    })
}

pub(super) fn too_large(path: &str) -> Problem {
    whole(
        code::TOO_LARGE,
        format!(
            "`{}` is larger than {} MiB, the most that a flow may have",
            shown(path),
            MAX_SOURCE_BYTES >> 20
        ),
    )
    .help("keep large texts and lists in files of their own, and give tasks their paths")
}

fn not_utf8(path: &str, bytes: &[u8], valid: usize) -> Problem {
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let place = LineIndex::new(&before).position(u32::MAX);
    whole(
        code::NOT_UTF8,
        format!(
            "`{}` is not UTF-8: byte 0x{:02X} in line {}, column {}",
            shown(path),
            bytes[valid],
            place.line,
            place.column
        ),
    )
    .help("save it as UTF-8")
}

fn whole(code: code::Code, message: String) -> Problem {
    Problem::error(code, Span::default(), message)
}

/// Characters that YAML forbids, and that could play tricks with a terminal.
fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> String {
        match read_source("a.flow.yaml", bytes) {
            Ok(file) => format!("ok {}", file.text),
            Err(problem) => format!("{}: {}", problem.code, problem.message),
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        assert_eq!(told(b"\xef\xbb\xbfa: 1"), "ok a: 1");
        assert_eq!(
            told(b"a: 1\nb: caf\xe9\n"),
            "not-utf8: `a.flow.yaml` is not UTF-8: byte 0xE9 in line 2, column 7"
        );
        assert_eq!(
            told(b"\xff\xfea\0"),
            "not-utf8: `a.flow.yaml` is UTF-16, not UTF-8"
        );
        assert_eq!(
            told(b"\x7fELF\0\0"),
            "binary: `a.flow.yaml` is a binary file, not text"
        );
        assert_eq!(
            told(b"a: \x1b[31m"),
            "control-character: `a.flow.yaml` has the control character U+001B in line 1, column 4"
        );
        assert_eq!(
            told(&vec![b'a'; MAX_SOURCE_BYTES + 1]),
            "too-large: `a.flow.yaml` is larger than 32 MiB, the most that a flow may have"
        );
    }
}
