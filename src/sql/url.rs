//! From a URL to the file that it names.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::SqlError;

/// The file that `sqlite:///path/jobs.db` or `sqlite://relative.db` names.
pub(super) fn sqlite_file(url: &str) -> Result<PathBuf, SqlError> {
    let wrong = |why: &str| SqlError::Unavailable {
        what: format!("`{url}` {why}: write it as `sqlite:///path/jobs.db`"),
        source: None,
    };
    let path = url
        .strip_prefix("sqlite:")
        .ok_or_else(|| wrong("does not name a SQLite file"))?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.ends_with('/') {
        return Err(wrong("names no file"));
    }
    if path.starts_with(":memory:") {
        return Err(wrong("would be gone with the program"));
    }
    if path.contains('?') {
        return Err(wrong("has parameters, and there are none"));
    }
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| wrong("is not UTF-8"))?;
    if path.contains('\0') {
        return Err(wrong("names no file"));
    }
    Ok(PathBuf::from(path.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_absolute_and_relative_files() {
        for (url, file) in [
            ("sqlite:///path/jobs.db", "/path/jobs.db"),
            ("sqlite://relative.db", "relative.db"),
            ("sqlite:relative.db", "relative.db"),
            ("sqlite://a%20b%3F.db", "a b?.db"),
        ] {
            assert_eq!(sqlite_file(url).unwrap(), PathBuf::from(file), "{url}");
        }
        for url in [
            "jobs.db",
            "mysql://host/db",
            "sqlite://",
            "sqlite:///folder/",
            "sqlite::memory:",
            "sqlite://a.db?mode=ro",
            "sqlite://%ff.db",
            "sqlite://a%00.db",
        ] {
            assert!(sqlite_file(url).is_err(), "{url}");
        }
    }
}
