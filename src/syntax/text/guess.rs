//! Whether something without quotes is an expression, or text that lacks its quotes.

/// Words of expressions that stand between two values, or before one.
const OPERATORS: [&str; 8] = ["and", "or", "not", "in", "is", "if", "else", "recursive"];

/// Whether it cannot be an expression, because it reads like text: two words beside each other, or characters that no
/// expression has.
pub(super) fn is_text(written: &str) -> bool {
    if ["/", "./", "../", "~", "<", ">", "|", "*", "%", "+"]
        .iter()
        .any(|begin| written.starts_with(begin))
    {
        return true;
    }
    let mut rest = written;
    // Whether a value stands right before, so that another one cannot follow.
    let mut value = false;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            c if c.is_whitespace() => c.len_utf8(),
            '"' | '\'' => {
                if std::mem::replace(&mut value, true) {
                    return true;
                }
                string(rest, c)
            }
            '(' | '[' | '{' => {
                value = true;
                group(rest)
            }
            ';' | '$' | '`' | '\\' | '?' | '@' | '&' | '^' | ':' => return true,
            '!' if !rest.starts_with("!=") => return true,
            c if is_word(c) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let word = &rest[..length];
                if OPERATORS.contains(&word) {
                    value = false;
                } else if std::mem::replace(&mut value, true) {
                    return true;
                }
                // A test may be followed by what it tests for: `x is divisibleby 3`.
                let before = written[..written.len() - rest.len()].trim_end();
                if before.ends_with(" is") || before.ends_with(" is not") {
                    value = false;
                }
                length
            }
            c => {
                value = false;
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    false
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The bytes of the text in quotes that begins here.
fn string(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// The bytes of what stands in the brackets that begin here.
fn group(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = rest[at..].chars().next() {
        match c {
            '"' | '\'' => {
                at += string(&rest[at..], c);
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        at += c.len_utf8();
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_quotes_is_told_from_expressions() {
        for text in [
            "Hello world",
            "echo hello",
            "it's me",
            "/tmp/x",
            "https://example.test",
            "make; make install",
            "a \"b\"",
            "rm -rf $x",
            "wait 3 s",
            "*",
        ] {
            assert!(is_text(text), "{text}");
        }
        for expression in [
            "branch",
            "a.b[\"c\"]",
            "publish and branch == \"main\"",
            "not a",
            "a if b else c",
            "x is not defined",
            "x is divisibleby 3",
            "a | join(\", \") ~ b",
            "f(x, [1, 2])[0]",
            "a != b",
            "-x + 3 // 2",
            "(a\n or b)",
            "\"a\" in list",
        ] {
            assert!(!is_text(expression), "{expression}");
        }
    }
}
