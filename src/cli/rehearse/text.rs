//! Lists of names and sentences, as long as there is room for.

use crate::cli::words::count;
use crate::model::{Duration, format_duration};

/// As many names as there is room for: the first ones, and the last.
#[must_use]
pub fn folded(names: &[String], between: &str, room: usize) -> String {
    let all = names.join(between);
    let (Some((last, others)), true) = (names.split_last(), wide(&all) > room) else {
        return all;
    };
    let number = format!("{}: ", count(names.len(), "task"));
    let mut left = room.saturating_sub(wide(&number) + wide(last) + 3);
    let mut shown = Vec::new();
    for name in others {
        if wide(name) + wide(between) > left {
            break;
        }
        left -= wide(name) + wide(between);
        shown.push(name.as_str());
    }
    if shown.is_empty() {
        return count(names.len(), "task");
    }
    format!("{number}{} … {last}", shown.join(between))
}

/// A sentence in lines of at most so many columns; what does not fit into so many lines is left out.
#[must_use]
pub fn wrapped(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = done.len() >= lines;
        match done.last_mut() {
            Some(line) if wide(line) + 1 + wide(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            Some(line) if full => {
                line.push_str(" …");
                break;
            }
            Some(_) | None => done.push(word.to_owned()),
        }
    }
    done
}

/// A duration in about its two largest units.
#[must_use]
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let rounded = match seconds {
        0..10 => duration,
        10..3600 => Duration::from_secs(seconds),
        3600..86_400 => Duration::from_secs(seconds / 60 * 60),
        _ => Duration::from_secs(seconds / 3600 * 3600),
    };
    format_duration(rounded)
}

fn wide(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_are_counted_and_the_first_and_last_are_told() {
        let names: Vec<String> = ["pay", "switch", "migrate", "fetch"]
            .map(str::to_owned)
            .into();
        assert_eq!(folded(&names, ", ", 30), "pay, switch, migrate, fetch");
        assert_eq!(folded(&names, ", ", 26), "4 tasks: pay … fetch");
        assert_eq!(folded(&names, ", ", 12), "4 tasks");
        assert_eq!(folded(&names[..1], ", ", 1), "1 task");
        assert_eq!(folded(&[], ", ", 0), "");
    }

    #[test]
    fn sentences_break_between_words() {
        assert_eq!(
            wrapped("one two three four", 9, 9),
            ["one two", "three", "four"]
        );
        assert_eq!(wrapped("one two three four", 9, 2), ["one two", "three …"]);
        assert_eq!(wrapped("", 9, 2), Vec::<String>::new());
    }
}
