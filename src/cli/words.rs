//! Durations, ages and numbers as people read them.

use crate::model::Duration;

/// How long something took: `0.3s`, `12.4s`, `1m05s`, `2h03m`, `3d04h`.
#[must_use]
pub fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", (duration.as_millis() / 100) as f64 / 10.0),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long ago something was: `3s`, `5m`, `2h`, `4d`.
#[must_use]
pub fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `1 error`, `2 errors`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Names in backticks: `` `a`, `b` and `c` ``.
#[must_use]
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

/// A word as it is typed in a shell: as it is, or in quotes where it would mean something else.
///
/// Source: POSIX.1-2024, Shell Command Language, 2.2 Quoting. Control characters, which nobody can type, stand in
/// `$'…'`.
#[must_use]
pub fn typed(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-+./:,@%".contains(c);
    // `=` stands for itself behind the name of an option or of a value alone.
    let assigned = !word.starts_with('=') && word.chars().all(|c| plain(c) || c == '=');
    if !word.is_empty() && assigned {
        return word.to_owned();
    }
    if !word.contains(char::is_control) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\{byte:03o}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_word_reaches_a_program_as_it_is() {
        for plain in ["deploy", "a.b-c_d", "--set", "port=80", "a,b", "ü", "/x:/y"] {
            assert_eq!(typed(plain), plain);
        }
        let words = [
            "",
            "test[toolchain=1.80, features=all]",
            "it's",
            "a \"b\" $HOME `x` \\ !! #",
            "line\nline\ttab \u{1b}[1m '\\ \u{85}",
            "~",
            "=x",
            "a*",
            "{a,b}",
        ];
        for shell in ["bash", "dash"] {
            for word in words.into_iter().chain(["deploy"]) {
                let typed = typed(word);
                // `$'…'` is younger than some shells.
                if shell == "dash" && typed.starts_with('$') {
                    continue;
                }
                let script = format!("printf %s {typed}");
                let Ok(ran) = std::process::Command::new(shell)
                    .args(["-c", &script])
                    .output()
                else {
                    assert_ne!(shell, "bash");
                    continue;
                };
                assert_eq!(
                    String::from_utf8_lossy(&ran.stdout),
                    word,
                    "{shell}: {script}"
                );
            }
        }
    }

    #[test]
    fn durations_read_well_at_every_scale() {
        let took = |ms| took(Duration::from_millis(ms));
        assert_eq!(took(340), "0.3s");
        assert_eq!(took(59_990), "59.9s");
        assert_eq!(took(65_000), "1m05s");
        assert_eq!(took(7_380_000), "2h03m");
        assert_eq!(took(273_600_000), "3d04h");
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(count(1, "error"), "1 error");
        assert_eq!(count(0, "error"), "0 errors");
    }
}
